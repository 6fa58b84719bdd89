"""Any picture file as upright 8-bit sRGB: what phones, scanners, film plates and the web leave in a folder."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, features

from scumble.core.colour import DISPLAY, LINEAR
from scumble.core.errors import BadPlate
from scumble.core.working_space import to_working
from scumble.media.colour_tags import LINEAR_FORMATS
from scumble.media.displayed import read_displayed
from scumble.media.picture_reader import embedded_profile, read_picture
from scumble.media.plate import check_can_be_read, check_size
from scumble.media.png_chunks import names_colours

# OpenImageIO reads depths, layouts and colour models of these that Pillow does not
BY_OIIO = {".exr", ".dpx", ".tif", ".tiff", ".hdr", ".tga"}

BY_PILLOW = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".avif", ".heic", ".heif"}

PICTURES = BY_OIIO | BY_PILLOW

LEAST_SIDE = 32  # pixels: smaller pictures cannot be cropped

PAPER = (255, 255, 255)  # under transparent parts

# our own limit, in words (`check_size`), instead of Pillow's warning at a third of it
Image.MAX_IMAGE_PIXELS = None


def load_picture(path: Path) -> Image.Image:
    """RGB, upright, in sRGB. Raises BadPlate naming what is wrong with the file."""
    by_chunks = path.suffix.lower() in (".png", ".apng") and path.is_file() and names_colours(path)
    if path.suffix.lower() in BY_OIIO or by_chunks:
        if by_chunks:
            display, alpha = read_displayed(path)
        else:
            pixels, alpha = read_picture(path)
            display = to_working(pixels, LINEAR if path.suffix.lower() in LINEAR_FORMATS else DISPLAY).pixels
        if alpha is not None:
            display = display * alpha + (1 - alpha)
        picture = Image.fromarray((np.nan_to_num(display).clip(0, 1) * 255 + 0.5).astype(np.uint8))
        if path.suffix.lower() not in LINEAR_FORMATS and not by_chunks:
            picture = _by_profile(picture, embedded_profile(path))
    else:
        picture = _by_pillow(path)
    if min(picture.size) < LEAST_SIDE:
        raise BadPlate(f"{path}: {picture.width}x{picture.height} pixels are too few; {LEAST_SIDE} a side are needed")
    return picture


def _by_pillow(path: Path) -> Image.Image:
    _register_heif()
    if path.suffix.lower() == ".avif" and not features.check("avif"):
        raise BadPlate(f"{path}: this Pillow reads no AVIF; pip install 'pillow>=11.3'")
    if path.suffix.lower() in (".heic", ".heif") and not _register_heif():
        raise BadPlate(f"{path}: HEIC needs a library; pip install pillow-heif")
    try:
        with Image.open(path) as opened:  # of an animated picture the first frame
            check_size(path, *opened.size)
            check_can_be_read(path, *opened.size)
            opened.load()
            return _to_srgb(ImageOps.exif_transpose(opened))
    except BadPlate:
        raise
    except Exception as error:  # Pillow's plug-ins raise any kind of error
        raise BadPlate(f"{path}: not a picture that can be read ({error})") from error


def _to_srgb(picture: Image.Image) -> Image.Image:
    """RGB by the picture's own profile where it has one; wide integers and floats are scaled, not cut."""
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture, np.float32)
        top = 65535.0 if picture.mode.startswith("I") else max(1.0, float(values.max(initial=0)))
        grey = (values.clip(0, top) * (255 / top) + 0.5).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, (*PAPER, 255))
        flat = Image.alpha_composite(paper, with_alpha).convert("RGB")
        flat.info["icc_profile"] = picture.info.get("icc_profile") if picture.mode in ("RGBA", "P", "PA") else None
        picture = flat
    profile = picture.info.get("icc_profile")
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGB")
    return _by_profile(picture, profile)


def _by_profile(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in sRGB. A broken profile, or one of another colour model, is ignored."""
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, own, _srgb(), outputMode="RGB")
            if converted is not None:
                return converted
    return picture.convert("RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@cache
def _register_heif() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True
