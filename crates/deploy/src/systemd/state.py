"""Names the files that the settings let the service write to, a line of JSON each: `python -B -` behind
django_setup.py, in the folder of manage.py.
"""

import logging

import django


def databases(settings):
    for alias, database in settings.DATABASES.items():
        name = str(database.get("NAME") or "")
        is_in_memory = ":memory:" in name or "mode=memory" in name
        if name.startswith("file:"):
            name = name.removeprefix("file:").split("?")[0]
        if "lite" in database.get("ENGINE", "") and name and not is_in_memory:
            yield f'DATABASES["{alias}"]["NAME"]', name, '"NAME": {}'


def folders(settings):
    for name in ("MEDIA_ROOT", "SESSION_FILE_PATH", "EMAIL_FILE_PATH"):
        if value := getattr(settings, name, None):
            yield name, value, f"{name} = {{}}"
    for alias, cache in settings.CACHES.items():
        if "filebased" in str(cache.get("BACKEND")) and cache.get("LOCATION"):
            yield f'CACHES["{alias}"]["LOCATION"]', cache["LOCATION"], '"LOCATION": {}'
    # Static files are a part of the release.
    storages = {alias: it for alias, it in getattr(settings, "STORAGES", {}).items() if alias != "staticfiles"}
    for alias, storage in storages.items():
        location = (storage.get("OPTIONS") or {}).get("location")
        if "FileSystem" in str(storage.get("BACKEND")) and location:
            yield f'STORAGES["{alias}"]["OPTIONS"]["location"]', location, '"location": {}'


def logs(settings):
    """Yields whether the handler renames its file, too."""
    for name, handler in ((settings.LOGGING or {}).get("handlers") or {}).items():
        if handler.get("filename"):
            setting = f'LOGGING["handlers"]["{name}"]["filename"]'
            yield setting, handler["filename"], '"filename": {}', "Rotating" in str(handler.get("class"))
    # Some settings configure the logs themselves.
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for handler in (handler for logger in loggers for handler in getattr(logger, "handlers", [])):
        if hasattr(handler, "baseFilename"):
            yield "a file handler of logging", handler.baseFilename, "{}", hasattr(handler, "doRollover")


def report(setting, path, line, **facts):
    answer(setting=setting, path=os.path.abspath(str(path)), line=line, **facts)


# The settings alone: Django would open the log files.
django.setup = lambda: None
set_up()
from django.conf import settings  # noqa: E402

for found in databases(settings):
    report(*found)
for found in folders(settings):
    report(*found, is_folder=True)
if static_root := getattr(settings, "STATIC_ROOT", None):
    report("STATIC_ROOT", static_root, "", is_static=True)
for *found, is_renamed in logs(settings):
    report(*found, is_renamed=is_renamed)
