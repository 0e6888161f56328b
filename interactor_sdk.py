"""For whoever takes the name of the distribution, interactor-sdk, for that of the package."""

raise ModuleNotFoundError("The package is called interactor_ext: write `from interactor_ext import InteractorClient`.")
