"""Small projects of every kind that `kamal init` knows, for the unit tests and the comparison with Ruby Kamal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Sample:
    """Files by name, and what is expected of them; `in_dockerfile` are lines of the image that is proposed."""

    files: Mapping[str, str]
    app_port: int
    health_path: str = "/up"
    in_dockerfile: tuple[str, ...] = ()

    def write_to(self, folder: Path) -> None:
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


PROJECTS: Final = {
    "rails": Sample(
        {"Gemfile": 'source "x"\ngem "rails", "~> 8.0"\n', ".ruby-version": "3.4.1\n", "package.json": "{}"},
        3000,
        in_dockerfile=("FROM ruby:3.4.1-slim", "EXPOSE 3000"),
    ),
    "django": Sample(
        {"manage.py": "import django\n", "shop/wsgi.py": "", "requirements.txt": "Django>=5\n", "package.json": "{}"},
        8000,
        in_dockerfile=(
            "RUN pip install --no-cache-dir -r requirements.txt gunicorn",
            'CMD ["gunicorn", "--bind", "0.0.0.0:8000", "shop.wsgi"]',
        ),
    ),
    "fastapi": Sample(
        {
            "pyproject.toml": '[project]\ndependencies = ["fastapi[standard]>=0.115"]\n',
            "app/main.py": "api = FastAPI()\n",
        },
        8000,
        in_dockerfile=('CMD ["uvicorn", "app.main:api", "--host", "0.0.0.0", "--port", "8000"]', "COPY . ."),
    ),
    "flask": Sample(
        {"requirements/base.txt": "gunicorn\nFlask==3.1\n", "wsgi.py": "app = Flask(__name__)\n"},
        8000,
        in_dockerfile=('CMD ["gunicorn", "--bind", "0.0.0.0:8000", "wsgi:app"]',),
    ),
    "poetry": Sample({"pyproject.toml": '[tool.poetry.dependencies]\nflask = "^3"\n'}, 8000),
    "next": Sample(
        {"package.json": '{"dependencies": {"next": "15"}, "scripts": {"build": "next build", "start": "next start"}}'},
        3000,
        "/",
        ("RUN npm run build", 'CMD ["npm", "start"]'),
    ),
    "nuxt": Sample({"package.json": '{"devDependencies": {"nuxt": "3"}}'}, 3000, "/"),
    "express": Sample({"package.json": '{"dependencies": {"express": "5"}}'}, 3000),
    "node": Sample({"package.json": '{"scripts": {"start": "node server.js"}}'}, 3000, in_dockerfile=("EXPOSE 3000",)),
    "go": Sample(
        {"go.mod": "module example.com/shop\n\ngo 1.24\n", "cmd/shop/main.go": "package main\n"},
        8080,
        in_dockerfile=("FROM golang:1.24 AS build", "RUN CGO_ENABLED=0 go build -o /app ./cmd/shop"),
    ),
    "static": Sample(
        {"public/index.html": "<p>hello</p>"}, 80, "/", ("COPY public /usr/share/nginx/html", "EXPOSE 80")
    ),
}
