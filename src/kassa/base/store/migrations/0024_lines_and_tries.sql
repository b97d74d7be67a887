-- All that stands in a report's line is kept as evidence of what it is about.
alter table report_line add column texts text[] not null default '{}';
