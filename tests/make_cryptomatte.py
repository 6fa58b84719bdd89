"""Render the Cryptomatte that `test_matte.py` looks at, with Blender's own object-index pass beside it.

blender --background --factory-startup --python tests/make_cryptomatte.py -- tests/golden/cryptomatte.exr
"""

from __future__ import annotations

import sys
from math import radians

import bpy

scene = bpy.context.scene
for thing in list(bpy.data.objects):
    bpy.data.objects.remove(thing)


def add(name: str, index: int) -> None:
    thing = bpy.context.object
    thing.name, thing.pass_index = name, index
    bpy.ops.object.shade_smooth()


bpy.ops.mesh.primitive_plane_add(size=12)
add("ground", 1)
bpy.ops.mesh.primitive_uv_sphere_add(radius=1, location=(-1.4, 0, 1), segments=64, ring_count=32)
add("big ball", 2)
bpy.ops.mesh.primitive_torus_add(location=(1.2, 0.6, 0.9), rotation=(radians(70), 0, 0.3), major_radius=0.8)
add("ring.001", 3)
bpy.ops.mesh.primitive_cone_add(location=(0.3, -1.4, 0.6), radius1=0.6, depth=1.2, vertices=64)
add("Kegel-ä", 4)
bpy.ops.object.camera_add(location=(0, -7, 3.2), rotation=(radians(70), 0, 0))
scene.camera = bpy.context.object
bpy.ops.object.light_add(type="SUN", rotation=(0.6, 0.3, 0.2))

layer = scene.view_layers[0]
layer.use_pass_cryptomatte_object = True
layer.pass_cryptomatte_depth = 4
layer.use_pass_object_index = True
scene.render.engine = "CYCLES"
scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 64, False
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 320, 180, 100
scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
scene.render.image_settings.color_depth = "16"
scene.render.image_settings.exr_codec = "ZIP"
scene.render.filepath = sys.argv[-1]
bpy.ops.render.render(write_still=True)
