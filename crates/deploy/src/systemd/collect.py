"""Collects the static files: `python - inside|outside FOLDER`, where STATIC_ROOT is in that folder, or is not.

In a release they are a part of it, and collected before it is anybody's but root's. Elsewhere they are
of the release that serves, and left alone until the new one is about to.
"""

from pathlib import Path


def main(where, folder):
    set_up()
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command

    if not settings.STATIC_ROOT or not apps.is_installed("django.contrib.staticfiles"):
        return
    is_inside = Path(settings.STATIC_ROOT).resolve().is_relative_to(Path(folder).resolve())
    if is_inside == (where == "inside"):
        call_command("collectstatic", interactive=False, verbosity=1)


main(*sys.argv[1:])
