"""Records as files: in several forms, thinned for a chart, drawn; and profiles from the files of others."""
