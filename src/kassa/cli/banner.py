"""What `kassa serve` prints when it is up: addresses, credentials, and a command per interface."""

from kassa import demo
from kassa.settings import Settings


def show(settings: Settings) -> None:
    """Print where everything is, and one line to copy for each interface."""
    lines = [
        "",
        "  Kassa",
        f"    REST and cashier   {settings.url}",
        f"    gRPC               {settings.host}:{settings.grpc_port}  (reflection, health)",
        f"    health, metrics    {settings.url}/readyz  {settings.url}/metrics",
    ]
    if settings.demo:
        lines += _demo_lines(settings)
    lines += ["", "  Ctrl-C stops everything.", ""]
    print("\n".join(lines), flush=True)


def _demo_lines(settings: Settings) -> list[str]:
    data_dir = settings.data_dir
    tool = f"kassa try --data-dir {data_dir}" if data_dir != ".kassa" else "kassa try"
    show = "kassa demo --json" + (f" --data-dir {data_dir}" if data_dir != ".kassa" else "")
    python = ".venv/bin/"
    folder = demo.directory(settings)
    return [
        f"    demo credentials   {python}{show}   (kept in {folder})",
        "",
        "  Try one of the five interfaces (another terminal, same folder):",
        f"    business   {python}{tool} business   GET /v1/payment/{{id}}, POST /v1/payments:list",
        f"    orders     {python}{tool} orders     POST /v1/orders:create, then pay on the page",
        f"    checkout   {python}{tool} checkout   POST /api/v1/payments with an Alipay address",
        f"    wallet     {python}{tool} wallet     POST /v1/payments/pay, signed both ways",
        f"    gateway    {python}{tool} gateway    POST /gateway/payment-requests",
    ]
