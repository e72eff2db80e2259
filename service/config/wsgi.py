"""What gunicorn serves: `gunicorn config.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

from config.rotation import Rotation

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = Rotation(get_wsgi_application(), hold_file=os.environ.get("HOLD_FILE", ""))
