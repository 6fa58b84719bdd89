"""The page's words, English and Chinese."""

from __future__ import annotations

LANGUAGES = ("en", "zh")

WORDS: dict[str, tuple[str, str]] = {
    "other": ("中文", "English"),
    "api": ("API", "API"),
    "dark": ("light / dark", "亮色 / 暗色"),
    "paint_tab": ("Paint", "绘制"),
    "queue_tab": ("Queue", "队列"),
    "match_tab": ("Match", "匹配"),
    "train_tab": ("Train", "训练"),
    "looks_tab": ("Looks", "画风库"),
    "plate": ("Shot", "镜头"),
    "named": ("Or a plate in an allowed folder", "或从开放的文件夹中选择素材"),
    "styles": ("Style pictures", "风格图片"),
    "look": ("Look (used without style pictures)", "画风（未放风格图片时使用）"),
    "frame": ("Frame", "帧"),
    "strength": ("Strength", "强度"),
    "stroke": ("Stroke size", "笔触大小"),
    "keep_color": ("Keep colour", "保留原色"),
    "second": ("Mix with", "混入另一画风"),
    "none": ("none", "无"),
    "mix": ("Share of the second look", "另一画风所占比例"),
    "matte": ("Where to paint", "绘制哪里"),
    "everywhere": ("everywhere", "整个画面"),
    "people": ("people", "人物"),
    "around": ("around people", "人物以外"),
    "own_matte": ("own matte", "自备遮罩"),
    "matte_file": ("Matte: a picture, movie or sequence", "遮罩：图片、影片或序列"),
    "feather": ("Feather (pixels)", "羽化（像素）"),
    "more": ("More", "更多"),
    "keep_exposure": ("Keep exposure", "保留明暗"),
    "hold_blacks": ("Hold blacks and whites", "保持黑位与白位"),
    "in_space": ("Colour space of the plate (default: its tags)", "素材的色彩空间（默认按文件标记）"),
    "range": ("Frames, such as 1001-1100x2", "帧范围，例如 1001-1100x2"),
    "format": ("Format", "格式"),
    "as_plate": ("like the plate", "与素材相同"),
    "codec": ("Codec", "编码"),
    "stabilize": ("Stabilise along the motion", "按运动稳定画面"),
    "grain": ("Grain", "颗粒"),
    "off": ("off", "关"),
    "flow": ("optical flow", "光流"),
    "vectors": ("motion vectors", "运动矢量"),
    "keep": ("keep", "保留"),
    "remove": ("remove", "去除"),
    "paint": ("Paint", "绘制"),
    "render": ("Render shot", "渲染镜头"),
    "wipe": ("Before and after", "前后对比"),
    "drop_first": (
        "Drop a shot (a movie, a picture, or the frames of a sequence). Drop style pictures, or choose a look. Then press Paint.",
        "拖入镜头（影片、图片或序列帧），再拖入风格图片或选一个画风，然后按“绘制”。",
    ),
    "frame_of": ("Frame {0} of {1}–{2} · ", "第 {0} 帧（{1}–{2}）· "),
    "previewed": ("{0} · {1} · fast precision · {2} s", "{0} · {1} · 快速精度 · {2} 秒"),
    "took": ("{0} frames in {1}", "{0} 帧，用时 {1}"),
    "by_shot": ("statistics of the shot", "按本镜头统计"),
    "by_reference": (
        "statistics of a reference photograph (the render will measure the shot)",
        "按参考照片统计（渲染时会测量镜头本身）",
    ),
    "whole_frame": ("Frame as PNG, to paint over", "下载此帧（PNG），在上面手绘"),
    "keys": (
        "Keys: P paint · R render · , and . frame · 1–5 tabs · D dark",
        "快捷键：P 绘制 · R 渲染 · , 和 . 换帧 · 1–5 标签页 · D 明暗",
    ),
    "no_jobs": ("No jobs yet.", "还没有任务。"),
    "queued": ("queued", "排队中"),
    "running": ("running", "进行中"),
    "done": ("done", "完成"),
    "failed": ("failed", "失败"),
    "cancelled": ("cancelled", "已取消"),
    "kind_render": ("Render", "渲染"),
    "kind_match": ("Match", "匹配"),
    "kind_train": ("Training", "训练"),
    "kind_qc": ("Quality report", "质量报告"),
    "left": ("{0} left", "剩余 {0}"),
    "cancel": ("Cancel", "取消"),
    "again": ("Again", "重试"),
    "delete": ("Delete", "删除"),
    "download": ("Download", "下载"),
    "sequence": ("Sequence (zip)", "序列（zip）"),
    "look_file": ("Look", "画风文件"),
    "report": ("Report", "报告"),
    "make_report": ("Quality report", "质量报告"),
    "keep_look": ("Keep look", "保留画风"),
    "log": ("Log", "日志"),
    "copy": ("Copy the command", "复制命令行"),
    "copied": ("Copied", "已复制"),
    "proxy": ("making the movie for this page", "正在生成页面预览影片"),
    "disk": ("{0} in use", "已用 {0}"),
    "disk_of": ("{0} of {1} in use", "已用 {0}，共 {1}"),
    "match_lead": (
        "Paint over one or more frames of the shot on the first tab. Drop them here. The look learns to paint the other frames.",
        "从“绘制”页的镜头里挑几帧手绘，拖到这里，画风就会学着画其余的帧。",
    ),
    "painted": ("Painted frames", "手绘帧"),
    "key_frames": ("Frame of each picture", "每张图片对应的帧"),
    "picture": ("Picture", "图片"),
    "minutes": ("Minutes", "分钟"),
    "name": ("Name of the look", "画风名称"),
    "start_match": ("Match", "开始匹配"),
    "train_lead": (
        "Trains a look on the shot of the first tab and on more footage, with these style pictures.",
        "用“绘制”页的镜头、其他素材和这些风格图片训练画风。",
    ),
    "footage": ("More footage", "其他素材"),
    "scratch": ("From scratch (slow)", "从零开始（较慢）"),
    "start_train": ("Train", "开始训练"),
    "search": ("Search", "搜索"),
    "show_looks": ("Show on the current frame", "在当前帧上显示"),
    "gallery": ("Looks", "画风"),
    "use": ("Use this look", "使用此画风"),
    "new_name": ("New name", "新名称"),
    "rename": ("Rename", "重命名"),
    "export": ("Export", "导出"),
    "import": ("Import a look file", "导入画风文件"),
    "make_look": ("Keep the style pictures as a look", "将风格图片存为画风"),
    "provenance": ("Where it comes from", "来历"),
    "choose_look": ("Choose a look in the gallery.", "请在画风库里选一个画风。"),
    "kept": ("Kept: {0}", "已保留：{0}"),
    "queued_job": ("In the queue", "已加入队列"),
    "no_plate": ("drop a shot first", "请先拖入镜头"),
    "no_look": ("drop style pictures or choose a look", "请拖入风格图片，或选一个画风"),
    "no_matte": ("drop a matte first", "请先拖入遮罩"),
    "no_key": ("drop painted frames first", "请先拖入手绘帧"),
    "no_frame": ("{0}: write its frame number into the table", "{0}：请在表中填上帧号"),
    "no_name": ("give the look a name", "请给画风起个名字"),
}


class Words:
    """The words of one language: `words("paint")`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.place = LANGUAGES.index(language)

    def of_option(self, name: str) -> str:
        """The label of an option or of one of its words; its own name where nobody has written one."""
        return WORDS[name][self.place] if name in WORDS else name.replace("_", " ").capitalize()

    def __call__(self, key: str, *values: object, **named: object) -> str:
        text = WORDS[key][self.place]
        return text.format(*values, **named) if values or named else text


def preferred(accepted: str) -> str:
    """The language of an Accept-Language header that the page has: the first of them, else English."""
    for part in accepted.split(","):
        language = part.split(";")[0].strip().lower()
        known = next((name for name in LANGUAGES if language == name or language.startswith(f"{name}-")), None)
        if known is not None:
            return known
    return LANGUAGES[0]
