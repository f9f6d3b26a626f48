"""Pictures and displacement maps as GL textures. All keep row 0 first: texture coordinates run downwards."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import moderngl
import numpy as np

from engine.arrays import ByteArray, FloatArray, check

SMOOTH = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
QUICK = (moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR)  # one mipmap level: a fifth of a frame on software OpenGL
PAGE_LAYERS = 4
"""Maps in one texture array: as many as the shares in one texel."""
LONGEST_PHOTO_PX = 2048
"""Photos are shown at most this large: screens and pictures of results need no more, and memory stays low."""
LONGEST_CLOSE_PX = 4096
"""The same where one may look closer: a face is often small in its photo."""


def picture_texture(ctx: moderngl.Context, image: ByteArray) -> moderngl.Texture:
    """(H, W, 3) uint8 picture that samples as stored: sRGB, to be decoded by the shader; ``smoothen`` adds mipmaps.

    Four bytes to the pixel and no decoding by the sampler: both are several times faster on software OpenGL.
    """
    import cv2

    height, width, _ = check("image", image, (None, None, 3), np.uint8).shape
    texture = ctx.texture((width, height), 4, np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)))
    texture.repeat_x = texture.repeat_y = False
    texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
    return texture


def smoothen(texture: moderngl.Texture) -> None:
    """Make the mipmaps of a picture and use them."""
    texture.build_mipmaps()
    texture.filter = SMOOTH


def fitting_photo(image: ByteArray, longest_px: int = LONGEST_PHOTO_PX) -> ByteArray:
    """The picture itself, or a smaller one whose longer side is ``longest_px``."""
    height, width = image.shape[:2]
    if max(height, width) <= longest_px:
        return image
    import cv2

    scale = longest_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def halved(map_mm: FloatArray) -> FloatArray:
    """(2n, 2n) -> (n, n) float32, the mean of each two by two pixels (of an odd size the last row and column go)."""
    even = map_mm[: map_mm.shape[0] // 2 * 2, : map_mm.shape[1] // 2 * 2]
    return np.float32(0.25) * (even[::2, ::2] + even[::2, 1::2] + even[1::2, ::2] + even[1::2, 1::2])


class MapLayers:
    """Those displacement maps that are in use, four in a texture array, and arrays as need be. Owner: BlendTarget.

    Not all in one: that would have to be made anew when it grows, and new memory is slow where OpenGL is software.
    """

    def __init__(self, ctx: moderngl.Context, size: int) -> None:
        """size: of the layers; maps of two or four times that size are halved on their way."""
        self._ctx = ctx
        self._size = size
        self._pages: list[moderngl.TextureArray] = []
        self._maps: list[FloatArray | None] = []
        self.uploads = 0
        """Maps sent to the GPU so far, for tests and benches."""

    def __len__(self) -> int:
        """Layers on the GPU, free ones included."""
        return len(self._maps)

    def layer_steps(
        self, wanted: Sequence[FloatArray], alive: Iterable[FloatArray]
    ) -> Generator[None, None, list[int]]:
        """Layer of each wanted map; only maps that are not there yet are uploaded, one in a step.

        Args:
            wanted: (n, n) float32 mm each, compared by identity.
            alive: maps that may be wanted again soon; layers of all others are free to be overwritten.
        """
        keep = {id(one) for one in (*wanted, *alive)}
        self._maps = [one if one is not None and id(one) in keep else None for one in self._maps]
        for one in wanted:
            if self._layer(one) is None:
                if self._free() is None:
                    self._add_page()
                    yield
                self._upload(self._free() or 0, one)
                yield
        layers = [self._layer(one) for one in wanted]
        return [layer for layer in layers if layer is not None]

    def _layer(self, map_mm: FloatArray) -> int | None:
        return next((layer for layer, one in enumerate(self._maps) if one is map_mm), None)

    def _free(self) -> int | None:
        return next((layer for layer, one in enumerate(self._maps) if one is None), None)

    def use(self, page: int, unit: int) -> None:
        """Bind the array of layers ``PAGE_LAYERS * page`` and following to a texture unit."""
        self._pages[page].use(unit)

    def release(self) -> None:
        """Free the GL textures; safe to call twice."""
        for page in self._pages:
            page.release()
        self._pages, self._maps = [], []

    def _add_page(self) -> None:
        page = self._ctx.texture_array((self._size, self._size, PAGE_LAYERS), 1, dtype="f4")
        page.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self._pages.append(page)
        self._maps += [None] * PAGE_LAYERS

    def _upload(self, layer: int, map_mm: FloatArray) -> None:
        pixels = map_mm
        while pixels.shape[0] >= 2 * self._size:
            pixels = halved(pixels)
        check("map_mm", pixels, (self._size, self._size))
        page, slot = divmod(layer, PAGE_LAYERS)
        self._pages[page].write(np.ascontiguousarray(pixels), viewport=(0, 0, slot, self._size, self._size, 1))
        self._maps[layer] = map_mm
        self.uploads += 1
