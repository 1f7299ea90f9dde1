"""Detection of a folder's kind of web application, as far as a first deploy.yml needs it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pykamal.core.file_reading import read_regular

_LARGEST: Final = 1024 * 1024
_EXPOSE: Final = re.compile(r"^\s*EXPOSE\s+([0-9]{1,5})(?:/tcp)?(?:\s|$)", re.IGNORECASE | re.MULTILINE)
_STAGE: Final = re.compile(r"^\s*FROM\s", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Project:
    """`app_port` is where it listens inside its container, `health_path` what answers 200 once it is ready.

    `advice` tells what is needed for that answer; `dockerfile` is an image that fits, as lines; `console` opens one in
    a container. With `has_dockerfile` there is an image already, and the port is the one it exposes, if it does.
    """

    kind: str
    app_port: int
    health_path: str
    dockerfile: tuple[str, ...]
    advice: str | None = None
    console: str = "sh"
    has_dockerfile: bool = False


def detected(folder: Path) -> Project | None:
    """Detect the framework of a folder, None where there is no sign of one. Unreadable files count as absent."""
    found = next((project for detect in _DETECTIONS if (project := detect(folder)) is not None), None)
    if not (folder / "Dockerfile").exists():
        return found
    exposed = _exposed(_text(folder / "Dockerfile"))
    if found is None:
        return None if exposed is None else Project("Dockerfile", exposed, "/up", (), _ANSWER, has_dockerfile=True)
    return replace(found, app_port=exposed or found.app_port, has_dockerfile=True)


def _exposed(dockerfile: str) -> int | None:
    """The first port of the last stage."""
    match = _EXPOSE.search(_STAGE.split(dockerfile)[-1])
    return None if match is None or not 0 < int(match[1]) < 65536 else int(match[1])


_ANSWER: Final = "Let the app answer GET /up with status 200 once it can serve; requests come to it from then on."
_ANY_HOST: Final = "the check asks for the container's own name as host"


def _rails(folder: Path) -> Project | None:
    if not re.search(r"""^\s*gem\s+["']rails["']""", _text(folder / "Gemfile"), re.MULTILINE):
        return None
    version = _text(folder / ".ruby-version").strip().removeprefix("ruby-")
    ruby = version if re.fullmatch(r"[0-9.]+", version) else "3.4"
    lines = (
        f"FROM ruby:{ruby}-slim",
        "RUN apt-get update -qq && apt-get install -y --no-install-recommends build-essential git libyaml-dev",
        "WORKDIR /rails",
        "ENV RAILS_ENV=production BUNDLE_WITHOUT=development:test",
        "COPY Gemfile Gemfile.lock ./",
        "RUN bundle install",
        "COPY . .",
        "RUN SECRET_KEY_BASE_DUMMY=1 bin/rails assets:precompile",
        "EXPOSE 3000",
        'CMD ["bin/rails", "server", "--binding", "0.0.0.0"]',
    )
    advice = f"Rails 7.1 and later answer /up by themselves. Leave it out of config.host_authorization: {_ANY_HOST}."
    return Project("Rails", 3000, "/up", lines, advice, console="bin/rails console")


def _django(folder: Path) -> Project | None:
    manage = folder / "manage.py"
    if "django" not in _text(manage).lower() and not _python_needs(folder, "django"):
        return None
    wsgi = next((path.parent.name for path in sorted(folder.glob("*/wsgi.py"))), "project")
    serve = f'CMD ["gunicorn", "--bind", "0.0.0.0:8000", "{wsgi}.wsgi"]'
    lines = _python_image(folder, "gunicorn", "RUN python manage.py collectstatic --noinput", serve)
    advice = f"Answer /up in a middleware that stands first, before ALLOWED_HOSTS is looked at: {_ANY_HOST}."
    return Project("Django", 8000, "/up", lines, advice, console="python manage.py shell")


def _fastapi(folder: Path) -> Project | None:
    if not _python_needs(folder, "fastapi"):
        return None
    module = _python_module(folder, "FastAPI(")
    serve = f'CMD ["uvicorn", "{module}", "--host", "0.0.0.0", "--port", "8000"]'
    advice = 'Add a route for it: @app.get("/up") def up(): return "OK"'
    return Project("FastAPI", 8000, "/up", _python_image(folder, "uvicorn", serve), advice, console="python")


def _flask(folder: Path) -> Project | None:
    if not _python_needs(folder, "flask"):
        return None
    serve = f'CMD ["gunicorn", "--bind", "0.0.0.0:8000", "{_python_module(folder, "Flask(")}"]'
    advice = 'Add a route for it: @app.get("/up") def up(): return "OK"'
    return Project("Flask", 8000, "/up", _python_image(folder, "gunicorn", serve), advice, console="flask shell")


def _node(folder: Path) -> Project | None:
    package = _json(folder / "package.json")
    needs = {**_mapping(package, "dependencies"), **_mapping(package, "devDependencies")}
    scripts = _mapping(package, "scripts")
    framework = next((name for package, name in _NODE_FRAMEWORKS.items() if package in needs), None)
    if framework is None and "start" not in scripts:
        return None
    start = 'CMD ["node", ".output/server/index.mjs"]' if framework == "Nuxt" else 'CMD ["npm", "start"]'
    lines = (
        "FROM node:22-slim",
        "WORKDIR /app",
        "COPY package*.json ./",
        "RUN npm ci",
        "COPY . .",
        *(["RUN npm run build"] if "build" in scripts else []),
        "ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000",
        "EXPOSE 3000",
        start,
    )
    path, advice = ("/", None) if framework in _WITH_PAGES else ("/up", _ANSWER)
    return Project(framework or "Node.js", 3000, path, lines, advice, console="node")


def _go(folder: Path) -> Project | None:
    module = _text(folder / "go.mod")
    if not module:
        return None
    version = re.search(r"^go\s+(\d+\.\d+)", module, re.MULTILINE)
    package = next((f"./{path.parent.relative_to(folder)}" for path in sorted(folder.glob("cmd/*/main.go"))), ".")
    lines = (
        f"FROM golang:{version[1] if version else '1'} AS build",
        "WORKDIR /src",
        "COPY . .",
        f"RUN CGO_ENABLED=0 go build -o /app {package}",
        "FROM alpine",
        "COPY --from=build /app /app",
        "EXPOSE 8080",
        'CMD ["/app"]',
    )
    return Project("Go", 8080, "/up", lines, _ANSWER, console="/app")


def _static(folder: Path) -> Project | None:
    place = next(
        (place for place in (".", "public", "dist", "site") if (folder / place / "index.html").is_file()), None
    )
    if place is None:
        return None
    lines = ("FROM nginx:alpine", f"COPY {place} /usr/share/nginx/html", "EXPOSE 80")
    return Project("static", 80, "/", lines)


_DETECTIONS: Final[tuple[Callable[[Path], Project | None], ...]] = (
    _rails,
    _django,
    _fastapi,
    _flask,
    _node,
    _go,
    _static,
)
"""The first that knows the folder: a Rails or Django project may well have a package.json and an index.html."""

_NODE_FRAMEWORKS: Final = {
    "next": "Next.js",
    "nuxt": "Nuxt",
    "@nestjs/core": "NestJS",
    "express": "Express",
    "fastify": "Fastify",
}
_WITH_PAGES: Final = ("Next.js", "Nuxt")


def _python_image(folder: Path, server: str, *last: str) -> tuple[str, ...]:
    """An image with the project's requirements and the server that runs it."""
    listed = (folder / "requirements.txt").is_file()
    install = "-r requirements.txt" if listed else "."
    first = ["COPY requirements.txt ."] if listed else ["COPY . ."]
    return (
        "FROM python:3.13-slim",
        "WORKDIR /app",
        *first,
        f"RUN pip install --no-cache-dir {install} {server}",
        *(["COPY . ."] if listed else []),
        *last[:-1],
        "EXPOSE 8000",
        last[-1],
    )


def _python_needs(folder: Path, package: str) -> bool:
    """Return True where one of the files that list requirements names a package."""
    name = re.compile(rf"""^\s*["']?{package}\b(?![-_.])""", re.IGNORECASE | re.MULTILINE)
    lists = [*sorted(folder.glob("requirements*.txt")), *sorted(folder.glob("requirements/*.txt")), folder / "Pipfile"]
    return any(name.search(_text(path)) for path in lists) or any(name.match(need) for need in _project_needs(folder))


def _project_needs(folder: Path) -> list[str]:
    """Requirements in pyproject.toml, of the standard and of Poetry."""
    try:
        settings = tomllib.loads(_text(folder / "pyproject.toml"))
    except (ValueError, RecursionError):
        return []
    needs = _mapping(settings, "project").get("dependencies")
    poetry = _mapping(_mapping(_mapping(settings, "tool"), "poetry"), "dependencies")
    return [*(str(need) for need in (needs if isinstance(needs, list) else [])), *poetry]


def _python_module(folder: Path, constructor: str) -> str:
    """`MODULE:app` of the file that makes the app, `main:app` when none is found."""
    for path in [*sorted(folder.glob("*.py")), *sorted(folder.glob("*/*.py"))]:
        match = re.search(rf"^(\w+)\s*=.*{re.escape(constructor)}", _text(path), re.MULTILINE)
        if match is not None and not path.parent.name.startswith((".", "test")):
            parts = path.relative_to(folder).with_suffix("").parts
            return f"{'.'.join(part for part in parts if part != '__init__')}:{match[1]}"
    return "main:app"


def _json(path: Path) -> object:
    try:
        return json.loads(_text(path) or "null")
    except (ValueError, RecursionError):
        return None


def _mapping(value: object, key: str) -> dict[str, object]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _text(path: Path) -> str:
    """Read at most a megabyte of a regular file; a file that is not there or cannot be read gives no text."""
    try:
        return read_regular(path, _LARGEST).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""
