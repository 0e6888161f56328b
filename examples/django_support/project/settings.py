"""Settings for development: https://docs.djangoproject.com/en/stable/howto/deployment/checklist/ before going live."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parents[1]
DATA_DIR = Path(os.environ.get("DJANGO_DATA", BASE_DIR))
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only for development")
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "support",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.contrib.auth.context_processors.auth"]},
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "site.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "log_in"
LOGIN_REDIRECT_URL = "tickets"
LOGOUT_REDIRECT_URL = "log_in"
USE_TZ = True

INTERACTOR_WEBHOOK_SECRET = os.environ["INTERACTOR_WEBHOOK_SECRET"]
