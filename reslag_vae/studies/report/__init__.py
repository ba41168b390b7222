"""What a study has found: tables, plots and one page, made of the files in its folder alone."""
