"""How far a study is: python -m reslag_vae.study"""

from reslag_vae.studies.command import main

if __name__ == "__main__":
    main()
