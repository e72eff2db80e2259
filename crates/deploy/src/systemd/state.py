"""Names the files that the settings let the service write to, a line of JSON each: `python -B -` behind
django_setup.py, in the folder of manage.py.
"""

import logging

import django


def written(settings):
    """Yields setting, path and the line of the settings in which a path of another folder would be."""
    for alias, database in settings.DATABASES.items():
        name = str(database.get("NAME") or "")
        is_file = "lite" in database.get("ENGINE", "") and name and "memory" not in name
        if is_file:
            yield f'DATABASES["{alias}"]["NAME"]', name.removeprefix("file:").split("?")[0], '"NAME": {}'
    if settings.MEDIA_ROOT:
        yield "MEDIA_ROOT", settings.MEDIA_ROOT, "MEDIA_ROOT = {}"
    for name, handler in (settings.LOGGING or {}).get("handlers", {}).items():
        if handler.get("filename"):
            yield f'LOGGING["handlers"]["{name}"]["filename"]', handler["filename"], '"filename": {}'
    # Some settings configure the logs themselves.
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for handler in (handler for logger in loggers for handler in getattr(logger, "handlers", [])):
        if hasattr(handler, "baseFilename"):
            yield "a file handler of logging", handler.baseFilename, "{}"


# The settings alone: Django would open the log files.
django.setup = lambda: None
set_up()
from django.conf import settings  # noqa: E402

for setting, path, line in written(settings):
    answer(setting=setting, path=os.path.abspath(path), line=line)
