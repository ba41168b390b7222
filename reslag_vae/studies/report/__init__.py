"""The report of a study: tables, plots and one page, made only from the files in its folder."""
