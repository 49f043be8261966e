"""Which task, image, control and mask is which, from Label Studio to COCO and back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.exchange.entries import ExportOptions
from backend.exchange.export import export_coco
from backend.exchange.image_addresses import original
from backend.exchange.importing import CocoImport
from backend.exchange.tasks import file_tasks
from backend.label_studio.label_config import TaskConfigs
from mfp_model.data.coco import read_coco
from mfp_model.errors import DataError
from tests.unit.backend.exchange.folders import MASK, masks_by_place, turned_photo
from tests.unit.backend.exchange.labeled import CONFIG, Files, export, png, row, task, write_tasks

_ORGANS = TaskConfigs(
    """<View><Image name="before" value="$pair.before"/><Image name="after" value="$after"/>
    <BrushLabels name="organs" toName="before"><Label value="Liver" alias="liver"/></BrushLabels>
    <BrushLabels name="tumors" toName="before"><Label value="Tumor"/></BrushLabels>
    <PolygonLabels name="outlines" toName="after"><Label value="Liver" alias="liver"/>
    <Label value="Scar"/></PolygonLabels></View>"""
)


@pytest.mark.parametrize("change", ["redrawn", "deleted", "as it was"])
def test_an_export_that_goes_on_has_what_label_studio_has_now(tmp_path: Path, change: str) -> None:
    tasks = [task(1, [row(MASK)]), task(2, [row(MASK)]), task(3, [row(MASK, "Unicorn")])]
    path = write_tasks(tmp_path / "tasks.json", tasks)
    source = file_tasks(path)
    files = Files({f"/data/upload/1/{n}.png": png(40, 30) for n in range(9)})
    options, out = ExportOptions(strict=True), tmp_path / "coco"
    with pytest.raises(DataError, match="Unicorn"):
        export_coco(source, out, config=CONFIG, sources=files, options=options)
    now = [task(1, [row(~MASK)] if change == "redrawn" else [row(MASK)])]
    now += [task(n, [row(MASK)]) for n in (2, 3) if change != "deleted" or n != 2]
    write_tasks(path, now)
    files.asked.clear()
    summary = export_coco(source, out, config=CONFIG, sources=files, options=options)
    (first,) = masks_by_place(out)[1, "image", None, "Cat", 0]
    assert (first == (~MASK if change == "redrawn" else MASK)).all()
    n_tasks = 2 if change == "deleted" else 3
    assert (summary.tasks, summary.images, summary.annotations) == (n_tasks,) * 3
    assert len(list((out / "images").iterdir())) == n_tasks
    assert len(files.asked) == (2 if change == "redrawn" else 1)


def test_tasks_with_two_images_and_with_one_never_meet_in_their_ids(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="a" value="$a"/><Image name="b" value="$b"/>
        <BrushLabels name="m" toName="a"><Label value="Cat"/></BrushLabels></View>"""
    )
    tasks = [
        {**task(number, [row(MASK, from_name="m", to_name="a")]), "data": data}
        for number, data in ((1, {"a": "x", "b": "y"}), (2, {"a": "x"}), (3, {"a": "x", "b": "y"}))
    ]
    content, summary = export(
        tmp_path, tasks, config=config, files=Files({"x": png(40, 30), "y": png(40, 30)})
    )
    assert summary.messages == []
    ids = [image["id"] for image in content["images"]]
    assert len(set(ids)) == len(ids) == 5
    assert {1, 2, 3} < set(ids)
    assert {entry["image_id"] for entry in content["annotations"]} == {1, 2, 3}


_SHAPES = st.tuples(
    st.sampled_from(["organs Liver", "tumors Tumor", "outlines Liver", "outlines Scar"]),
    st.integers(0, 30),
    st.integers(0, 20),
    st.booleans(),
)


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.lists(_SHAPES, max_size=5), st.integers(1, 8)), min_size=1, max_size=4)
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_there_and_back_nothing_changes_whatever_controls_images_crowds_and_photos(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[list[tuple[str, int, int, bool]], int]],
) -> None:
    tmp_path = tmp_path_factory.mktemp("round")
    tasks, contents = [], {}
    for number, (shapes, turn) in enumerate(drawn, start=1):
        data = {"pair": {"before": f"x{number}"}, "after": f"y{number}"}
        stored = (30, 40) if turn < 5 else (40, 30)
        photo = turned_photo(np.zeros(stored, dtype=np.bool_), turn)
        contents |= {f"x{number}": photo, f"y{number}": photo}
        rows = []
        for index, (place, left, top, is_crowd) in enumerate(shapes):
            control, label = place.split()
            mask = np.zeros((30, 40), dtype=np.bool_)
            mask[top : top + 9, left : left + 9] = True
            mask[top + 2 : top + 4, left + 2 : left + 4] = False
            named = "liver" if label == "Liver" else label
            region = row(mask, named, id=f"r{index}", from_name=control, to_name="before")
            if control == "outlines":
                region = _outline(region, mask, named)
            rows.append({**region, **({"meta": {"text": ["crowd"]}} if is_crowd else {})})
        tasks.append({**task(number, rows), "data": data})
    files = Files(contents)
    _, summary = export(tmp_path, tasks, config=_ORGANS, files=files)
    assert summary.messages == []
    assert summary.annotations == sum(len(shapes) for shapes, _ in drawn)
    importer = CocoImport(read_coco(tmp_path / "coco"), _ORGANS, form="annotations")
    imported = importer.into_file(tmp_path / "back.json", original)
    assert imported.problems == []
    assert imported.polygon_iou is None or imported.polygon_iou["least"] == 1
    (tmp_path / "again").mkdir()
    made = json.loads((tmp_path / "back.json").read_text())
    assert [entry["data"]["pair"]["before"] for entry in made] == [
        entry["data"]["pair"]["before"] for entry in tasks
    ]
    again = [{**entry, "id": number} for number, entry in enumerate(made, start=1)]
    export(tmp_path / "again", again, config=_ORGANS, files=files)
    first, second = masks_by_place(tmp_path / "coco"), masks_by_place(tmp_path / "again" / "coco")
    assert first.keys() == second.keys()
    for key, masks in first.items():
        assert [mask.tolist() for mask in masks] == [mask.tolist() for mask in second[key]]


def _outline(region: dict[str, Any], mask: np.ndarray, label: str) -> dict[str, Any]:
    """The same place as a polygon of the other image, its hole filled."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, right = columns[0] / 40 * 100, (columns[-1] + 1) / 40 * 100
    top, bottom = rows[0] / 30 * 100, (rows[-1] + 1) / 30 * 100
    points = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return {
        **region,
        "type": "polygonlabels",
        "to_name": "after",
        "value": {"points": points, "closed": True, "polygonlabels": [label]},
    }


def test_a_plain_brush_and_a_plain_polygon_take_back_what_they_gave(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="image" value="$image"/><Brush name="mask" toName="image"/>
        <Polygon name="outline" toName="image"/></View>"""
    )
    brush = {**row(MASK, from_name="mask"), "type": "brush"}
    brush["value"] = {key: brush["value"][key] for key in ("format", "rle")}
    polygon = _outline({**row(MASK, id="r2"), "from_name": "outline"}, MASK, "x")
    polygon |= {"type": "polygon", "to_name": "image"}
    del polygon["value"]["polygonlabels"]
    _, summary = export(tmp_path, [task(1, [brush, polygon])], config=config)
    assert summary.messages == []
    assert summary.categories == ("mask", "outline")
    importer = CocoImport(read_coco(tmp_path / "coco"), config, form="annotations")
    assert importer.into_file(tmp_path / "back.json", original).problems == []
    (made,) = json.loads((tmp_path / "back.json").read_text())
    rows = made["annotations"][0]["result"]
    assert [(part["from_name"], part["type"]) for part in rows] == [
        ("mask", "brush"),
        ("outline", "polygon"),
    ]
    (tmp_path / "again").mkdir()
    export(tmp_path / "again", [{**made, "id": 1}], config=config)
    for (mask,) in masks_by_place(tmp_path / "again" / "coco").values():
        assert (mask == MASK).all()


def test_labels_that_tasks_bring_are_exported_and_brought_back(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="image" value="$image"/>
        <BrushLabels name="mask" toName="image" value="$labels"><Label value="Cat"/></BrushLabels>
        </View>"""
    )
    tasks = [
        {**task(1, [row(MASK, "Owl")]), "data": {"image": "x", "labels": ["Owl"]}},
        {**task(2, [row(MASK, "Cat"), row(MASK, "Owl", id="r2")]), "data": {"image": "x"}},
    ]
    _, summary = export(tmp_path, tasks, config=config, files=Files({"x": png(40, 30)}))
    assert summary.categories == ("Cat", "Owl")
    assert summary.annotations == 2
    assert summary.messages == [
        "task 2: annotation 20: region r2: label 'Owl': expected one of Cat"
    ]
    importer = CocoImport(read_coco(tmp_path / "coco"), config, form="annotations")
    assert importer.into_file(tmp_path / "back.json", original).problems == []
    made = json.loads((tmp_path / "back.json").read_text())
    assert made[0]["data"]["labels"] == ["Cat", "Owl"]
    assert made[0]["annotations"][0]["result"][0]["value"]["brushlabels"] == ["Owl"]


def test_paths_in_other_letters_never_give_two_images_one_file(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="l" value="$левый"/><Image name="r" value="$правый"/>
        <BrushLabels name="mask" toName="l,r"><Label value="Cat"/></BrushLabels></View>"""
    )
    left, right = "s3://bucket/left/1.png", "s3://bucket/right/1.png"
    rows = [row(MASK, to_name="l"), row(~MASK, id="r2", to_name="r")]
    tasks = [{**task(1, rows), "data": {"левый": left, "правый": right}}]
    files = Files({left: png(40, 30), right: turned_photo(MASK, 1)})
    content, _ = export(tmp_path, tasks, config=config, files=files)
    names = [image["file_name"] for image in content["images"]]
    shown = [(tmp_path / "coco" / "images" / name).read_bytes() for name in names]
    assert shown == [files.read(address, "1") for address in (left, right)]


def test_pages_that_another_configuration_has_no_place_for_become_tasks(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="image" valueList="$images"/>
        <BrushLabels name="mask" toName="image"><Label value="Cat"/></BrushLabels></View>"""
    )
    rows = [row(MASK, item_index=0), row(~MASK, id="r2", item_index=1)]
    tasks = [{**task(1, rows), "data": {"images": ["x", "y"]}}]
    export(tmp_path, tasks, config=config, files=Files({"x": png(40, 30), "y": png(40, 30)}))
    importer = CocoImport(read_coco(tmp_path / "coco"), CONFIG, form="annotations")
    summary = importer.into_file(tmp_path / "back.json", original)
    assert (summary.tasks, summary.masks, summary.problems) == (2, 2, [])
    made = json.loads((tmp_path / "back.json").read_text())
    assert [entry["data"]["image"] for entry in made] == ["x", "y"]
    assert [len(entry["annotations"][0]["result"]) for entry in made] == [1, 1]


def test_images_of_two_exports_that_were_one_task_each_stay_two(tmp_path: Path) -> None:
    export(tmp_path, [task(1, [row(MASK)]), task(2, [row(MASK)])])
    path = tmp_path / "coco" / "annotations.json"
    content = json.loads(path.read_text())
    content["images"][1]["label_studio"]["task"] = 1  # in the other Label Studio
    path.write_text(json.dumps(content))
    importer = CocoImport(read_coco(path), CONFIG, form="annotations")
    importer.into_file(tmp_path / "back.json", original)
    made = json.loads((tmp_path / "back.json").read_text())
    assert [entry["data"]["image"] for entry in made] == [f"/data/upload/1/{n}.png" for n in (1, 2)]


@pytest.mark.parametrize("index", [10**10, -1, 1.5, True, "0", [0], {"a": 1}])
def test_a_page_that_there_is_none_of_is_the_images_own_task(tmp_path: Path, index: object) -> None:
    export(tmp_path, [task(1, [row(MASK)])])
    path = tmp_path / "coco" / "annotations.json"
    content = json.loads(path.read_text())
    content["images"][0]["label_studio"]["index"] = index
    path.write_text(json.dumps(content))
    CocoImport(read_coco(path), CONFIG, form="annotations").into_file(
        tmp_path / "back.json", original
    )
    (made,) = json.loads((tmp_path / "back.json").read_text())
    assert made["data"]["image"] == "/data/upload/1/1.png"
    assert "item_index" not in made["annotations"][0]["result"][0]


def test_an_alias_means_what_its_own_control_says(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="image" value="$image"/>
        <BrushLabels name="mask" toName="image"><Label value="Liver" alias="1"/></BrushLabels>
        <PolygonLabels name="outline" toName="image"><Label value="Vessel" alias="1"/>
        <Label value="1" alias="2"/></PolygonLabels></View>"""
    )
    outlines = [
        _outline(row(MASK, id=f"o{alias}", from_name="outline"), MASK, alias) for alias in "12"
    ]
    rows = [row(MASK, "1"), *({**outline, "to_name": "image"} for outline in outlines)]
    rows += [row(MASK, "1", id="gone", from_name="renamed since")]
    _, summary = export(tmp_path, [task(1, rows)], config=config)
    assert summary.messages == []
    (tmp_path / "again").mkdir()
    data = read_coco(tmp_path / "coco")
    labels = [mask.category for image in data.images for mask in image.annotations]
    assert labels == ["Liver", "Vessel", "1", "Liver"]
    CocoImport(data, config, form="annotations").into_file(tmp_path / "back.json", original)
    (made,) = json.loads((tmp_path / "back.json").read_text())
    export(tmp_path / "again", [{**made, "id": 1}], config=config)
    (image,) = read_coco(tmp_path / "again" / "coco").images
    assert [mask.category for mask in image.annotations] == labels


class _CutAtTheSecond(Files):
    """Somebody presses Ctrl-C at the second task."""

    def read(self, address: str, task_id: str) -> bytes:
        if task_id == "2":
            raise KeyboardInterrupt
        return super().read(address, task_id)


def test_what_was_missing_before_an_export_was_cut_is_there_when_it_goes_on(
    tmp_path: Path,
) -> None:
    path = write_tasks(tmp_path / "tasks.json", [task(n, [row(MASK)]) for n in (1, 2)])
    source, out = file_tasks(path), tmp_path / "coco"
    with pytest.raises(KeyboardInterrupt):
        export_coco(source, out, config=CONFIG, sources=_CutAtTheSecond({}))
    mounted = Files({f"/data/upload/1/{n}.png": png(40, 30) for n in (1, 2)})
    summary = export_coco(source, out, config=CONFIG, sources=mounted)
    assert (summary.annotations, summary.messages) == (2, [])
