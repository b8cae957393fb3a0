"""Titles of different content, 1080p30, made with ffmpeg's own sources: none is a real film, each is a kind of hard.

    screencast  pages of text that turn every four seconds, a blinking cursor, a pointer on its way
    gradients   colours that flow into each other slowly: banding shows
    talk        a head that sways before a blurred background, a sensor's noise
    sport       fast pans over a lawn's texture, figures that run across
    grain       a slow pan with the grain of film, new in each picture
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench.clips import MAKING_S, made
from tests.harness.media import ffmpeg

SIZE, RATE = "1920x1080", 30
TEXT = Path(__file__).parents[2] / "README.md"
# As good as a camera's file, and not endless for grain; quick to make and to read
SOURCE = (
    "-c:v", "libx264", "-preset", "ultrafast", "-crf", "14", "-maxrate", "40M", "-bufsize", "40M", "-g", str(2 * RATE),
    "-pix_fmt", "yuv420p", "-an", "-movflags", "+faststart",
)  # fmt: skip


def clip(name: str, seconds: int) -> Path:
    return made(f"title-{name}-{seconds}.mp4", lambda path: TITLES[name](path, seconds))


def _texture() -> Path:
    """Clouds of three sizes: what a lawn, a wall or a wood is to an encoder."""
    octaves = ";".join(
        f"color=gray:size={width}x{width * 9 // 16}:duration=1:rate=1,"
        f"noise=alls={strength}:allf=u:all_seed={width},scale=2880:1620:flags=bicubic,format=yuv444p[{label}]"
        for label, width, strength in (("a", 64, 60), ("b", 480, 50), ("c", 1440, 40))
    )
    graph = f"{octaves};[a][b]blend=all_mode=average[ab];[ab][c]blend=all_mode=average,eq=contrast=1.8"
    return made("texture.png", lambda path: ffmpeg("-filter_complex", graph, "-frames:v", "1", path))


def _still(name: str, graph: str) -> Path:
    """Of the texture: what does not change is not worked out for each picture."""
    return made(name, lambda path: ffmpeg("-i", _texture(), "-vf", graph, "-frames:v", "1", path))


def _held(pixels: str) -> str:
    """What is read once, and shown on and on."""
    return f"format={pixels},loop=-1:1,setpts=N/({RATE}*TB),fps={RATE}"


def _encode(path: Path, seconds: int, stills: Sequence[Path], graph: str) -> None:
    inputs = [part for still in stills for part in ("-i", still)]
    ffmpeg(*inputs, "-filter_complex", graph, "-t", str(seconds), *SOURCE, path, timeout_s=MAKING_S)


def _screencast(path: Path, seconds: int) -> None:
    page = f"drawtext=textfile={TEXT}:font=Mono:expansion=none:fontsize=24:fontcolor=0xd8d8d8:x=60:line_spacing=9"
    graph = (
        f"color=0x1e1e24:size={SIZE}:rate={RATE},{page}:y='24-900*floor(t/4)',"
        "drawbox=x=420:y=640:w=12:h=26:color=white:t=fill:enable='lt(mod(t,1),0.5)'[page];"
        f"color=white:size=14x22:rate={RATE}[pointer];"
        "[page][pointer]overlay=x='900+300*sin(t)':y='500+200*cos(t/2)'"
    )
    _encode(path, seconds, [], graph)


def _gradients(path: Path, seconds: int) -> None:
    _encode(path, seconds, [], f"gradients=size={SIZE}:rate={RATE}:nb_colors=5:seed=7:speed=0.004")


def _talk(path: Path, seconds: int) -> None:
    wall = _still("wall.png", "crop=1920:1080:0:0,gblur=sigma=12,eq=brightness=-0.1")
    skin = "geq=lum='lum(X,Y)':cb='120':cr='146':a='if(lt(hypot((X-W/2)/(W/2),(Y-H/2)/(H/2)),1),255,0)'"
    head = _still("head.png", f"crop=520:700:900:400,gblur=sigma=1.2,format=yuva420p,{skin}")
    graph = (
        f"[0:v]{_held('yuv420p')}[wall];[1:v]{_held('yuva420p')}[head];"
        "[wall][head]overlay=x='700+26*sin(t*1.1)':y='260+10*sin(t*2.3)',noise=alls=3:allf=t"
    )
    _encode(path, seconds, [wall, head], graph)


def _sport(path: Path, seconds: int) -> None:
    crop = "crop=1920:1080:x='480+440*sin(2*PI*t/5)':y='270+240*sin(2*PI*t/3.3)'"
    graph = f"[0:v]eq=saturation=1.4,{_held('yuv420p')},{crop}[lawn0];"
    graph += f"testsrc2=size=64x128:rate={RATE},split=4[p0][p1][p2][p3]"
    for number in range(4):
        across = f"mod(t*{310 + 130 * number}+{480 * number},2000)-64"
        down = f"{180 + 210 * number}+60*sin(t*{2 + number})"
        graph += f";[lawn{number}][p{number}]overlay=x='{across}':y='{down}':shortest=0"
        graph += f"[lawn{number + 1}]" if number < 3 else ""
    _encode(path, seconds, [_texture()], graph)


def _grain(path: Path, seconds: int) -> None:
    soft = _still("soft.png", "gblur=sigma=1.5")
    _encode(path, seconds, [soft], f"[0:v]{_held('yuv444p')},crop=1920:1080:x='8*t':y='100+3*t',noise=alls=14:allf=t")


TITLES: Mapping[str, Callable[[Path, int], None]] = {
    "screencast": _screencast,
    "gradients": _gradients,
    "talk": _talk,
    "sport": _sport,
    "grain": _grain,
}
