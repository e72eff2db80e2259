"""The page, the one action, and the two questions that a health check asks."""

import logging

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from monitoring import access
from monitoring.charts import HEIGHT, WIDTH, charts_by_host
from monitoring.models import Sample
from monitoring.readiness import is_ready, readiness

logger = logging.getLogger(__name__)

# Two hours of samples, one a minute.
SAMPLES_SHOWN = 120

TAKEN = "A sample was taken."
REQUESTED = "A sample was requested. It appears here in a moment."


@require_safe
@never_cache
def dashboard(request):
    if not (access.is_open() or access.has_token(request) or access.is_staff(request)):
        return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))
    hosts = charts_by_host(Sample.objects.all()[:SAMPLES_SHOWN])
    context = {"hosts": hosts, "width": WIDTH, "height": HEIGHT}
    return render(request, "monitoring/dashboard.html", context)


@csrf_exempt  # A browser's cookie alone is checked below; a token can't be sent by another site.
@require_POST
def samples(request):
    if access.is_open() or access.has_token(request):
        return enqueue(request)
    if access.is_staff(request):
        return csrf_protect(enqueue)(request)
    return JsonResponse(
        {"error": "staff login or bearer token wanted"},
        status=401,
        headers={"WWW-Authenticate": "Bearer"},
    )


def enqueue(request):
    # Imported here: Celery takes as long as much of Django, and health checks start Django often.
    from kombu.exceptions import OperationalError

    from monitoring.tasks import take_sample

    # The page's button was pressed: the answer is the page again, with a sentence.
    is_browser = request.get_preferred_type(["application/json", "text/html"]) == "text/html"
    try:
        task = take_sample.delay()
    except OperationalError as error:
        logger.warning("cannot enqueue a task: %s", error)
        if is_browser:
            messages.error(request, "No sample was taken: the task queue does not answer.")
            return redirect("dashboard")
        return JsonResponse({"error": "the broker does not answer"}, status=503)
    if is_browser:
        is_taken = settings.CELERY_TASK_ALWAYS_EAGER
        messages.success(request, TAKEN if is_taken else REQUESTED)
        return redirect("dashboard")
    return JsonResponse({"task": task.id}, status=202)


@csrf_exempt  # So that POST gets the 405 that it deserves.
@require_safe
@never_cache
def healthz(request):
    """This process responds. Touches nothing else, so that a lost database restarts no process."""
    return HttpResponse("ok\n", content_type="text/plain")


@csrf_exempt
@require_safe
@never_cache
def readyz(request):
    states = readiness()
    ready = is_ready(states)
    return JsonResponse({"ready": ready, **states}, status=200 if ready else 503)
