"""The five documented interfaces, a folder each, and the door for provider notifications."""
