"""A moving scene with true motion vectors, for the figures of steadiness. Run it in Blender:

blender --background --factory-startup --python benchmarks/steady/scene.py -- OUTPUT_FOLDER [FRAMES]

Writes scene.1001.exr ...: half float, layers Combined and Vector (Cycles). A camera that pans past
spinning and passing things in procedural textures, so that there are occlusions, edges and still parts.
"""

import math
import sys
from pathlib import Path

import bpy

WIDTH, HEIGHT, SAMPLES = 640, 360, 32


def material(name, kind, scale, dark, light):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    texture = nodes.new(f"ShaderNodeTex{kind}")
    texture.inputs["Scale"].default_value = scale
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (*dark, 1), (*light, 1)
    place = nodes.new("ShaderNodeTexCoord")
    links.new(place.outputs["Object"], texture.inputs["Vector"])
    links.new(texture.outputs[0], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.7
    return made


def moved(thing, frame, **values):
    for name, value in values.items():
        setattr(thing, name, value)
        thing.keyframe_insert(name, frame=frame)


def main(folder, count):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1001, 1000 + count
    first, last = scene.frame_start, scene.frame_end

    bpy.ops.mesh.primitive_plane_add(size=40)
    bpy.context.object.data.materials.append(material("ground", "Noise", 1.6, (0.05, 0.12, 0.03), (0.45, 0.38, 0.2)))
    bpy.ops.mesh.primitive_plane_add(size=40, location=(0, 9, 0), rotation=(math.pi / 2, 0, 0))
    bpy.context.object.data.materials.append(material("sky", "Noise", 0.35, (0.25, 0.45, 0.8), (0.9, 0.9, 0.95)))

    bpy.ops.mesh.primitive_monkey_add(size=2.2, location=(-1.2, 1.5, 1.3))
    head = bpy.context.object
    head.modifiers.new("smooth", "SUBSURF").render_levels = 2
    head.data.materials.append(material("head", "Voronoi", 4, (0.5, 0.12, 0.05), (0.95, 0.6, 0.35)))
    moved(head, first, rotation_euler=(0, 0, -0.25))
    moved(head, last, rotation_euler=(0, 0, 0.25))

    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.7, location=(3, -0.5, 0.7))
    ball = bpy.context.object
    bpy.ops.object.shade_smooth()
    ball.data.materials.append(material("ball", "Checker", 5, (0.02, 0.05, 0.3), (0.9, 0.85, 0.7)))
    moved(ball, first, location=(1.6, -0.5, 0.7), rotation_euler=(0, 0, 0))
    moved(ball, last, location=(-0.4, -0.5, 0.7), rotation_euler=(0, -2 / 0.7, 0))

    bpy.ops.mesh.primitive_cube_add(size=1.3, location=(2.3, 3, 0.65), rotation=(0, 0, 0.6))
    bpy.context.object.data.materials.append(material("box", "Magic", 2, (0.1, 0.3, 0.12), (0.8, 0.75, 0.3)))

    for action in bpy.data.actions:
        for curve in action.fcurves:
            for key in curve.keyframe_points:
                key.interpolation = "LINEAR"

    bpy.ops.object.light_add(type="SUN", rotation=(0.7, 0.3, 0.5))
    bpy.context.object.data.energy = 3
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.5, 0.6, 0.8, 1)

    bpy.ops.object.camera_add(rotation=(1.42, 0, 0))
    camera = scene.camera = bpy.context.object
    moved(camera, first, location=(-0.2, -7, 2.1))
    moved(camera, last, location=(0.2, -7, 2.1))

    render = scene.render
    render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.max_bounces = "CPU", SAMPLES, 3
    scene.cycles.use_denoising = False
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.view_layers[0].use_pass_vector = True
    render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    render.image_settings.color_depth, render.image_settings.exr_codec = "16", "ZIP"
    render.filepath = str(Path(folder).resolve() / "scene.####.exr")
    bpy.ops.render.render(animation=True)


given = sys.argv[sys.argv.index("--") + 1 :]
main(given[0], int(given[1]) if len(given) > 1 else 24)
