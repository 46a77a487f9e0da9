"""What setup.cfg cannot say: trained networks travel in the wheel, as pagjax/shipped."""

from __future__ import annotations

from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build

FROM, TO = Path("checkpoints"), Path("pagjax", "shipped")


class BuildNetworks(Command):
    """A step of the build; an editable installation finds the networks where they lie."""

    description = "copy trained networks into the package"
    user_options = []  # noqa: RUF012

    def initialize_options(self) -> None:
        """See setuptools."""
        self.build_lib: str | None = None
        self.editable_mode = False

    def finalize_options(self) -> None:
        """See setuptools."""
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def get_source_files(self) -> list[str]:
        """What belongs into a source distribution."""
        return sorted(str(path) for path in FROM.rglob("*") if path.is_file())

    def get_output_mapping(self) -> dict[str, str]:
        """Files of the wheel, and which of the repository they are."""
        assert self.build_lib is not None
        home = Path(self.build_lib, TO)
        return {str(home / Path(one).relative_to(FROM)): one for one in self.get_source_files()}

    def get_outputs(self) -> list[str]:
        """Files of the wheel."""
        return list(self.get_output_mapping())

    def run(self) -> None:
        """Copies them."""
        if self.editable_mode:
            return
        for output, source in self.get_output_mapping().items():
            self.mkpath(str(Path(output).parent))
            self.copy_file(source, output)


class Build(build):
    """The build, with that step."""

    sub_commands = [*build.sub_commands, ("build_networks", None)]  # noqa: RUF012


setup(cmdclass={"build": Build, "build_networks": BuildNetworks})
