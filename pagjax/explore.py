"""`python -m pagjax.explore`: the live page, made and served on this machine."""

from __future__ import annotations

import argparse
import webbrowser
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pagjax.arguments import shared, types
from pagjax.arguments.parsing import Parser, parser_of
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE

OUT = Path("pagjax-live")


COSTS = (
    "two minutes for the first page of all shipped networks, seconds after that; 33 MB are fetched "
    "with npm once, and the folder takes 120 MB."
)


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "explore",
        "Makes a page on which a picture is dragged towards a class, and serves it on "
        "this machine. The folder is static: any web server can serve it to others, and it needs "
        "no connection once it is there.",
        costs=COSTS,
    )
    what = parser.add_argument_group("what")
    what.add_argument(
        "networks",
        nargs="*",
        metavar="NETWORK",
        help="shipped networks' names, or folders (default: all shipped ones that paint)",
    )
    where = parser.add_argument_group("where")
    shared.add_out(where, OUT, "the page's folder")
    what.add_argument(
        "--runtime",
        type=Path,
        metavar="FILE",
        help="the package onnxruntime-web, where npm cannot fetch it",
    )
    where.add_argument(
        "--port", type=types.whole, default=0, metavar="P", help="default: any that is free"
    )
    where.add_argument("--build-only", action="store_true", help="make the folder, serve nothing")
    where.add_argument("--no-browser", action="store_true", help="open no browser")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return guarded(run, parser().parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax import checkpoints
    from pagjax.live_page import build, serve

    if args.port > 65535:
        raise build.PageError(f"--port {args.port}: ports go up to 65535")
    names = args.networks or build.shipped_networks()
    build.check_folder(args.out)
    networks = {name: partial(checkpoints.load, name) for name in names}
    build.build(args.out, networks, given_runtime=args.runtime)
    print(f"page: {args.out / build.PAGE}")
    if args.build_only:
        return EXIT_DONE
    with serve.server(args.out, args.port) as running:
        url = f"http://{serve.HOST}:{running.server_port}/"
        print(f"{url}  (Ctrl-C ends it)", flush=True)
        if not args.no_browser:
            webbrowser.open(url)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print("ended")
    return EXIT_DONE


if __name__ == "__main__":
    raise SystemExit(main())
