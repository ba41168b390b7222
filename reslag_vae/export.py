"""A trained model as files without code: python -m reslag_vae.export"""

from reslag_vae.runs.export import main

if __name__ == "__main__":
    main()
