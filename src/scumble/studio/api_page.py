"""The API's own description as one page that loads nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Scumble studio: HTTP API</title><style>
:root { color-scheme: light dark } body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin: 2.2rem 0 .3rem; font-size: 1rem } code, pre { font-family: ui-monospace, monospace; font-size: .9em }
b { display: inline-block; min-width: 4.5em } table { border-collapse: collapse; margin: .4rem 0 } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
details { margin: .3rem 0 } .faint { opacity: .7 }</style>"""


def as_html(openapi: dict[str, Any]) -> str:
    """Every route with its parameters and the fields of its body."""
    schemas = openapi.get("components", {}).get("schemas", {})
    parts = [
        HEAD,
        f"<h1>{escape(openapi['info']['title'])} {escape(openapi['info']['version'])}</h1>",
        f"<p>{escape(openapi['info']['description'])} Machine-readable: <a href='/api/openapi.json'>openapi.json</a>."
        " With a password: <code>Authorization: Bearer PASSWORD</code>.</p>",
    ]
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            parts.append(f"<h2><code><b>{method.upper()}</b> {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(route.get('description', ''))}</p>")
            rows = [(p["name"], p.get("schema", {}), p.get("required", False)) for p in route.get("parameters", [])]
            for content in route.get("requestBody", {}).get("content", {}).values():
                rows += _fields(content["schema"], schemas)
            if rows:
                parts.append("<table>" + "".join(_row(*row, schemas) for row in rows) + "</table>")
    return "\n".join(parts)


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[tuple[str, dict[str, Any], bool]]:
    resolved = _resolved(schema, schemas)
    wanted = resolved.get("required", [])
    return [(name, field, name in wanted) for name, field in resolved.get("properties", {}).items()]


def _row(name: str, schema: dict[str, Any], required: bool, schemas: dict[str, Any]) -> str:
    default = "" if "default" not in schema else f" = {schema['default']!r}"
    needed = "" if required else f" <span class=faint>optional{escape(default)}</span>"
    said = escape(schema.get("description", ""))
    return f"<tr><td><code>{escape(name)}</code></td><td><code>{escape(_kind(schema, schemas))}</code>{needed}</td><td>{said}</td></tr>"


def _kind(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(_kind(part, schemas) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(repr(word) for word in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    if schema.get("contentMediaType") or schema.get("format") == "binary":
        return "file"
    if schema.get("type") == "array":
        return f"[{_kind(schema.get('items', {}), schemas)}]"
    if "$ref" in schema:
        return "{" + ", ".join(name for name, _, _ in _fields(schema, schemas)) + "}"
    return str(schema.get("type", "any"))


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = schemas.get(schema["$ref"].rpartition("/")[2], {}) if "$ref" in schema else schema
    return known
