"""The command `python -m reslag_vae.report`, which writes the report of a study."""

from reslag_vae.studies.report.command import main

if __name__ == "__main__":
    main()
