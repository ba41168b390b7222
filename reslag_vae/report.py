"""The report of a study: python -m reslag_vae.report"""

from reslag_vae.studies.report.command import main

if __name__ == "__main__":
    main()
