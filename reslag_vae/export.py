"""The command `python -m reslag_vae.export`, which writes a trained model as files without code."""

from reslag_vae.sharing.command import main

if __name__ == "__main__":
    main()
