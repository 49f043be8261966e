"""Label Studio's labelling page in Chromium, driven the way an annotator uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Request, Response, Route

_LIMIT_MS = 60_000
_LOST_MS = 15_000
_LOST_KEY_MS = 3_000
_STORE = "(window.Htx || window.dataManager?.lsf?.lsf?.store)"


class LabelingPage:
    """One annotator's browser tab. Positions are percent of the image."""

    def __init__(self, person: BrowserContext, url: str) -> None:
        self.url = url
        self.image = "image"  # the name of the one that is clicked on
        self.page: Page = person.new_page()
        self.page.set_default_timeout(_LIMIT_MS)
        self.answers: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self._n_answers = self._n_asked = 0
        self.page.on("request", self._count_question)
        self.page.on("response", self._keep_answer)

    def _count_question(self, request: Request) -> None:
        self._n_asked += "interactive-annotating" in request.url

    def _keep_answer(self, response: Response) -> None:
        if "interactive-annotating" in response.url:
            self.asked.append(response.request.post_data_json or {})
            self.answers.append(response.json())

    def forget_switches(self) -> None:
        """Forget what was switched on in another tab of the same person."""
        self.page.goto(f"{self.url}/version", wait_until="domcontentloaded")
        self.page.evaluate("() => localStorage.clear()")

    def open_task(self, project: int, task: int) -> None:
        self.page.goto(
            f"{self.url}/projects/{project}/data?task={task}", wait_until="domcontentloaded"
        )
        self.wait_for_image()

    def start_labeling(self, project: int) -> None:
        """Open the next task that is to be labelled, as «Label All Tasks» does."""
        self.page.goto(
            f"{self.url}/projects/{project}/data?labeling=1", wait_until="domcontentloaded"
        )
        self.wait_for_image()

    def add_new_annotation(self) -> None:
        """Press «+» beside the annotations."""
        shown = self.store("a.id")
        self.page.click("[aria-label='Create an annotation']")
        self.page.wait_for_function(f"id => {_STORE}.annotationStore.selected.id !== id", arg=shown)
        self.wait_for_image()

    def turn_to_page(self, index: int) -> None:
        """Show another image of a task with several."""
        self.store(f"a.names.get('{self.image}').setCurrentImage({index})")
        self.page.wait_for_function(
            f"index => {_STORE}.annotationStore.selected.names.get('{self.image}')"
            ".currentImageEntity.index === index",
            arg=index,
        )
        self.wait_for_image()

    def reload(self) -> None:
        self.page.reload(wait_until="domcontentloaded")
        self.wait_for_image()

    def wait_for_image(self) -> None:
        self.page.wait_for_selector("canvas")
        self.page.wait_for_function(
            f"() => {{ const a = {_STORE}?.annotationStore?.selected;"
            f" const i = a?.names?.get('{self.image}');"
            " return i && i.stageWidth > 50 && (i.imageIsLoaded ?? i.naturalWidth > 0); }"
        )

    def switch_on_clicking(self) -> None:
        """Auto-Annotation on, the smart point tool chosen."""
        if not self.store("s.autoAnnotation"):
            self.page.click("[data-testid=bottombar-auto-annotation-toggle]")
            self.page.wait_for_function(f"() => {_STORE}.autoAnnotation")
        icon = self.page.locator(".lsf-tool_smart").first
        self._press_until(icon.click, f"{self._tool}?.dynamic")

    def tap_tool(self, control: str) -> None:
        """Tap the icon of Auto-Detect, which takes its tools in turn, until one is chosen."""
        icon = self.page.locator(".lsf-tool_smart").first
        self._press_until(icon.tap, f"{self._tool}?.control?.name === '{control}'")

    @property
    def _tool(self) -> str:
        return f"a.names.get('{self.image}').getToolsManager().findSelectedTool()"

    def _press_until(self, press: Callable[[], None], is_chosen: str) -> None:
        for _ in range(40):  # a busy page may lose it
            if self.store(is_chosen):
                return
            press()
            self.page.wait_for_timeout(300)
        raise TimeoutError(f"the page did not take the tool: {is_chosen}")

    def click(
        self, x: float, y: float, *, alt: bool = False, on_mask: bool = False
    ) -> dict[str, Any]:
        """Click (with Alt: "not object"), wait for the answer to be shown, and return it."""
        self.ask(x, y, alt=alt, on_mask=on_mask)
        return self.finish_click()

    def ask(self, x: float, y: float, *, alt: bool = False, on_mask: bool = False) -> None:
        """Click (with Alt: "not object") and wait until the page asks about it."""
        n_before = self._n_asked
        self.start_click(x, y, alt=alt, on_mask=on_mask)
        for _ in range(_LOST_MS // 50):
            if self._n_asked > n_before:
                return
            self.page.wait_for_timeout(50)
        self.start_click(x, y, alt=alt, on_mask=on_mask)  # a page just opened may lose it

    def start_click(self, x: float, y: float, *, alt: bool = False, on_mask: bool = False) -> None:
        """Click without waiting; with Ctrl where there is a mask, which the page selects else."""
        self._n_answers = len(self.answers)
        keys = [name for name, is_down in (("Control", on_mask), ("Alt", alt)) if is_down]
        for key in keys:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.place(x, y))
        for key in keys:
            self.page.keyboard.up(key)

    def finish_click(self) -> dict[str, Any]:
        """Wait for the answer to `start_click` to be shown, and return it."""
        for _ in range(_LIMIT_MS // 50):  # the first answer waits for the weights
            if len(self.answers) > self._n_answers and not self.store("s.awaitingSuggestions"):
                self._wait_until_accepted(self.answers[-1])
                return self.answers[-1]
            self.page.wait_for_timeout(50)
        raise TimeoutError("the page got no answer to the click")

    def _wait_until_accepted(self, answer: dict[str, Any]) -> None:
        """With Auto-Accept, wait for an answer's masks, which the page shows a moment later."""
        names = {row["id"] for row in answer["data"]["result"]}
        if not self.store("s.autoAcceptSuggestions"):
            return
        for _ in range(_LIMIT_MS // 50):
            if self.suggestions() == 0 and names <= {region["id"] for region in self.regions()}:
                return
            self.page.wait_for_timeout(50)
        raise TimeoutError(f"the page did not take in {sorted(names)}")

    @contextmanager
    def held_questions(self) -> Iterator[None]:
        """Let no question reach the server before the end; then each, after the one before."""
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        address = "**/interactive-annotating**"
        self.page.route(address, hold)
        yield
        for route in held:
            with self.page.expect_response(address):
                route.continue_()
        self.page.unroute(address)

    @contextmanager
    def held_drafts(self) -> Iterator[None]:
        """Let no draft reach the server before the end; a page that is gone by then saves none."""
        held: list[Route] = []

        def hold(route: Route) -> None:
            if route.request.method == "GET":
                route.continue_()
            else:
                held.append(route)

        self.page.route("**/drafts**", hold)
        yield
        while held:
            route = held.pop(0)
            if route.request.failure is None:
                route.continue_()
        self.page.unroute("**/drafts**")  # which lets those go that come meanwhile

    def take_tool(self, key: str, control: str) -> None:
        """Press a tool's key until the tool of a control is chosen; a busy page may lose it."""
        for _ in range(40):
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(300)
            if (chosen := self.store(f"{self._tool}?.control?.name")) == control:
                return
        focus = self.page.evaluate("() => document.activeElement?.outerHTML.slice(0, 200)")
        raise TimeoutError(f"key {key}: expected the tool of {control}, got {chosen} ({focus})")

    def press_label(self, key: str) -> None:
        """Press a label's key until the chosen labels change; a busy page may lose it."""
        chosen = "[...a.names.values()].flatMap(c => (c.selectedLabels ?? []).map(l => l.value))"
        before = self.store(chosen)
        for _ in range(_LIMIT_MS // _LOST_KEY_MS):
            self.page.keyboard.press(key)
            for _ in range(_LOST_KEY_MS // 50):
                if self.store(chosen) != before:
                    return
                self.page.wait_for_timeout(50)
        raise TimeoutError(f"key {key}: the chosen labels stayed {before}")

    def tap(self, x: float, y: float) -> dict[str, Any]:
        """Touch a place, wait for the answer to be shown, and return it."""
        self._n_answers = len(self.answers)
        self.page.touchscreen.tap(*self.place(x, y))
        return self.finish_click()

    def draw_box(self, x: float, y: float, to_x: float, to_y: float) -> dict[str, Any]:
        """Draw with the tool that is chosen, wait for the answer to be shown, and return it."""
        self._n_answers = len(self.answers)
        self._drag(x, y, to_x, to_y)
        return self.finish_click()

    def switch_auto_accept(self, is_on: bool) -> None:
        """Switch Auto-Accept."""
        if bool(self.store("s.autoAcceptSuggestions")) != is_on:
            self.page.locator("[data-testid=bottombar-auto-accept-toggle]").click()
            self.page.wait_for_function(f"on => {_STORE}.autoAcceptSuggestions === on", arg=is_on)
            self.page.evaluate("() => document.activeElement.blur()")  # it swallows the page's keys

    def accept(self) -> None:
        self.page.click("[data-testid=bottombar-accept-suggestions-button]")
        self.page.wait_for_function(
            f"() => {_STORE}.annotationStore.selected.suggestions.size === 0"
        )

    def select_first_region(self) -> None:
        """Select the annotation's first mask in the list of regions."""
        self.page.locator(".lsf-outliner-item").first.click()
        self.page.wait_for_function(f"() => {_STORE}.annotationStore.selected.selectionSize === 1")

    def erase(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Drag the eraser over the selected mask."""
        self.page.click("[aria-label=eraser]")
        self._drag(x, y, to_x, to_y)

    def _drag(self, x: float, y: float, to_x: float, to_y: float) -> None:
        self.page.mouse.move(*self.place(x, y))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(to_x, to_y), steps=8)
        self.page.mouse.up()

    def paint(self, label: str, x: float, y: float, to_x: float, to_y: float) -> None:
        """Paint a stroke with a label, and leave it."""
        self.page.get_by_text(label, exact=True).first.click()
        self._drag(x, y, to_x, to_y)
        self.page.wait_for_timeout(300)  # the page makes a region of it a moment later
        self.page.keyboard.press("Escape")

    def wait_for_draft(self) -> None:
        """Wait until the page has saved what was drawn."""
        with self.page.expect_response(lambda r: "/drafts" in r.url):
            pass

    def wait_until_saved(self, task: int) -> None:
        """Wait until a draft of the task has what the page shows."""
        shown = {region["id"] for region in self.regions()}
        for _ in range(300):
            drafts = self.page.request.get(f"{self.url}/api/tasks/{task}/drafts").json()
            if any({row["id"] for row in draft["result"]} == shown for draft in drafts):
                return
            self.page.wait_for_timeout(100)
        raise TimeoutError("the page did not save a draft")

    def start_training(self, project: int) -> None:
        """Press Start Training in the project's settings."""
        self.page.goto(f"{self.url}/projects/{project}/settings/ml", wait_until="domcontentloaded")
        self.page.click("[aria-label='Machine learning model options']")
        self.page.get_by_text("Start Training", exact=True).click()
        with self.page.expect_response(lambda r: r.url.rstrip("/").endswith("/train")):
            self.page.get_by_role("button", name="Start Training").click()

    def update(self) -> None:
        """Save an annotation that was submitted before."""
        with self.page.expect_response(
            lambda r: "/annotations" in r.url and r.request.method == "PATCH"
        ):
            self.page.click("[data-testid=bottombar-update-button]")

    def submit(self) -> None:
        with self.page.expect_response(
            lambda r: "/annotations" in r.url and r.request.method == "POST"
        ):
            self.page.click("[data-testid=bottombar-submit-button]")

    def regions(self) -> list[dict[str, Any]]:
        """Regions of the annotation: id, type, label, and whether it is a click."""
        regions: list[dict[str, Any]] = self.store(
            "a.regionStore.regions.map(r => ({id: r.cleanId, type: r.type, label: r.labelName,"
            " dynamic: !!r.dynamic}))"
        )
        return regions

    def masks(self) -> list[dict[str, Any]]:
        kinds = ("brushregion", "polygonregion")
        return [region for region in self.regions() if region["type"] in kinds]

    def wait_for_masks(self, n_masks: int) -> None:
        """Wait until the annotation has so many masks; a saved one is read after its image."""
        self.page.wait_for_function(
            f"n => {_STORE}?.annotationStore?.selected?.regionStore.regions"
            ".filter(r => /^(brush|polygon)region$/.test(r.type)).length === n",
            arg=n_masks,
        )

    def suggestions(self) -> int:
        return int(self.store("a.suggestions.size"))

    def store(self, expression: str) -> Any:  # noqa: ANN401, whatever JavaScript gives
        """Evaluate with `s` = the editor's store and `a` = the selected annotation."""
        return self.page.evaluate(
            f"() => {{ const s = {_STORE}; const a = s?.annotationStore?.selected;"
            f" return {expression}; }}"
        )

    def screenshot(self, path: Path) -> None:
        self.page.screenshot(path=path)

    def close(self) -> None:
        self.page.wait_for_load_state("domcontentloaded")  # while it loads it may never be closed
        self.page.close()

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a place of the image is, in pixels of the page."""
        box = self._image_box()
        return box["x"] + box["width"] * x / 100, box["y"] + box["height"] * y / 100

    def _image_box(self) -> dict[str, float]:
        """Where the image is drawn: in its canvas's top left corner, as large as fits."""
        boxes: list[dict[str, float]] = []
        while not boxes:  # the page may draw it anew just now
            self.page.locator("canvas:visible").first.wait_for()
            boxes = self.page.evaluate(
                "() => [...document.querySelectorAll('canvas')].map(canvas => {"
                " const {x, y, width, height} = canvas.getBoundingClientRect();"
                " return {x, y, width, height}; })"
            )
        box = max(boxes, key=lambda b: b["width"] * b["height"])
        ratio = float(
            self.store(f"(i => i.naturalWidth / i.naturalHeight)(a.names.get('{self.image}'))")
        )
        width = min(box["width"], box["height"] * ratio)
        return {"x": box["x"], "y": box["y"], "width": width, "height": width / ratio}
