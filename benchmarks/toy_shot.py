"""A shot rendered twice, plain and painted: blender -b --factory-startup -P benchmarks/toy_shot.py -- FOLDER [FRAMES]

Runs inside Blender (Cycles, CPU). `FOLDER/plate/p.####.png` has ordinary materials under a sky;
`FOLDER/true/t.####.png` has the same geometry, camera and frames with toon shading, brush marks that stick to
the objects and ink lines (Freestyle). The camera passes a row of objects, one of which turns: things come out
from behind others that no earlier frame shows.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import bpy

SIZE = (640, 360)
COLOURS = [
    (0.7, 0.12, 0.08),
    (0.1, 0.3, 0.65),
    (0.75, 0.5, 0.08),
    (0.15, 0.45, 0.2),
    (0.5, 0.2, 0.5),
    (0.45, 0.42, 0.36),
]
# what a painter makes of them: light and shadow
PAINTS = [
    ((0.95, 0.45, 0.2), (0.35, 0.03, 0.15)),
    ((0.35, 0.7, 0.9), (0.06, 0.05, 0.35)),
    ((1.0, 0.85, 0.3), (0.55, 0.18, 0.08)),
    ((0.6, 0.8, 0.25), (0.02, 0.2, 0.25)),
    ((0.9, 0.5, 0.75), (0.2, 0.05, 0.35)),
    ((0.95, 0.8, 0.55), (0.35, 0.2, 0.3)),
]


def nodes_of(name: str):
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.node_tree.nodes.clear()
    return material, material.node_tree.nodes, material.node_tree.links


def plain(i: int):
    """Rough plastic with a little noise in its colour."""
    material, nodes, links = nodes_of(f"plain{i}")
    out, shader = nodes.new("ShaderNodeOutputMaterial"), nodes.new("ShaderNodeBsdfPrincipled")
    noise, ramp = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeValToRGB")
    noise.inputs["Scale"].default_value = 6
    colour = COLOURS[i % len(COLOURS)]
    ramp.color_ramp.elements[0].color = (*[c * 0.6 for c in colour], 1)
    ramp.color_ramp.elements[1].color = (*[min(1, c * 1.3) for c in colour], 1)
    shader.inputs["Roughness"].default_value = 0.5
    links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], shader.inputs["Base Color"])
    links.new(shader.outputs[0], out.inputs[0])
    return material


def painted(i: int):
    """Toon light mixed with flat shadow colour; brush marks are noise stretched in the object's own space."""
    material, nodes, links = nodes_of(f"painted{i}")
    out, toon = nodes.new("ShaderNodeOutputMaterial"), nodes.new("ShaderNodeBsdfToon")
    flat, both = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeAddShader")
    place, stretch = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
    marks, ramp = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeValToRGB")
    light, shadow = PAINTS[i % len(PAINTS)]
    stretch.inputs["Scale"].default_value = (3, 3, 14)
    marks.inputs["Scale"].default_value = 2.5
    marks.inputs["Distortion"].default_value = 1.5
    ramp.color_ramp.interpolation = "EASE"
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.42, 0.58
    ramp.color_ramp.elements[0].color = (*[c * 0.75 for c in light], 1)
    ramp.color_ramp.elements[1].color = (*light, 1)
    toon.inputs["Size"].default_value = 0.65
    toon.inputs["Smooth"].default_value = 0.05
    flat.inputs["Color"].default_value = (*shadow, 1)
    flat.inputs["Strength"].default_value = 0.6
    links.new(place.outputs["Object"], stretch.inputs["Vector"])
    links.new(stretch.outputs["Vector"], marks.inputs["Vector"])
    links.new(marks.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], toon.inputs["Color"])
    links.new(toon.outputs[0], both.inputs[0])
    links.new(flat.outputs[0], both.inputs[1])
    links.new(both.outputs[0], out.inputs[0])
    return material


def build(frames: int):
    """Floor, wall and a row of objects at several depths; a sun, a sky, a camera that travels past them."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    things = []

    def add(make, i: int, place, size: float, **more) -> None:
        make(location=place, **more)
        thing = bpy.context.object
        thing.scale = (size, size, size)
        thing["paint"] = i
        things.append(thing)

    o = bpy.ops.mesh
    add(o.primitive_plane_add, 5, (0, 0, 0), 20)
    add(o.primitive_plane_add, 4, (0, 7, 0), 20, rotation=(math.pi / 2, 0, 0))
    add(o.primitive_monkey_add, 0, (-2.2, 0.5, 1.1), 1.0)
    add(o.primitive_uv_sphere_add, 1, (0.3, 2.2, 1.0), 1.0)
    add(o.primitive_cube_add, 2, (2.3, 0.2, 0.7), 0.7, rotation=(0, 0, 0.5))
    add(o.primitive_torus_add, 3, (0.2, -1.2, 0.35), 0.9)
    add(o.primitive_cone_add, 4, (4.6, 2.8, 1.2), 1.2)
    add(o.primitive_cylinder_add, 1, (-4.3, 2.4, 1.3), 0.9)
    add(o.primitive_ico_sphere_add, 3, (-0.9, -2.4, 0.45), 0.45)
    add(o.primitive_monkey_add, 2, (4.2, -0.6, 0.9), 0.8)
    for thing in things[2:]:
        if thing.name.startswith(("Suzanne", "Sphere", "Torus", "Icosphere", "Cylinder", "Cone")):
            for face in thing.data.polygons:
                face.use_smooth = True
    turning = things[2]
    for frame, angle in ((1, -0.8), (frames, 0.9)):
        turning.rotation_euler = (-0.2, 0, angle)
        turning.keyframe_insert("rotation_euler", frame=frame)
    bpy.ops.object.light_add(type="SUN", rotation=(0.7, 0.25, 0.6))
    bpy.context.object.data.energy = 2.2
    bpy.context.object.data.angle = 0.02
    bpy.ops.object.camera_add()
    camera = bpy.context.object
    camera.data.lens = 35
    for frame, place, turn in ((1, (-4.0, -8.0, 2.2), -0.42), (frames, (3.2, -7.2, 2.6), 0.34)):
        camera.location, camera.rotation_euler = place, (1.38, 0, turn)
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    bpy.context.scene.camera = camera
    return things


def main() -> None:
    """Build once, render twice."""
    words = sys.argv[sys.argv.index("--") + 1 :]
    folder, frames = Path(words[0]), int(words[1]) if len(words) > 1 else 60
    scene = bpy.context.scene
    things = build(frames)
    scene.frame_start, scene.frame_end = 1, frames
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", 16, 7
    scene.cycles.use_denoising = False  # which not every build has
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "Standard"
    scene.world.use_nodes = True
    sky = scene.world.node_tree.nodes["Background"]
    for name, make, background, lines, bounces in (
        ("plate/p", plain, (0.5, 0.6, 0.75, 1), False, 2),
        ("true/t", painted, (0, 0, 0, 1), True, 0),  # shadows have a colour of their own, and no noise
    ):
        materials = [make(i) for i in range(len(COLOURS))]
        for thing in things:
            thing.data.materials.clear()
            thing.data.materials.append(materials[thing["paint"]])
        sky.inputs["Color"].default_value = background
        scene.render.use_freestyle, scene.cycles.max_bounces = lines, bounces
        for style in scene.view_layers[0].freestyle_settings.linesets if lines else ():
            style.linestyle.thickness = 2.0
            style.linestyle.color = (0.05, 0.02, 0.1)
        scene.render.filepath = str(folder / f"{name}.")
        bpy.ops.render.render(animation=True)


main()
