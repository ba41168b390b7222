"""The JavaScript of the map, where Node.js is there to run it."""

import shutil
import subprocess

import pytest

from reslag_vae.explore.file import part

# As much of a browser as the map needs
BROWSER = """
class Anything {
  constructor() { this.classList = { add() {} }; this.style = {}; this.clientWidth = 300; }
  append() {} replaceChildren() {} setAttribute() {} addEventListener() {}
  getContext() { return new Proxy({}, { get: () => () => {}, set: () => true }); }
}
let watching = 0;
globalThis.window = { devicePixelRatio: 1 };
globalThis.document = { createElement: () => new Anything() };
globalThis.ResizeObserver = class {
  observe() { watching += 1; }
  disconnect() { watching -= 1; }
};
"""
MAPS = """
const root = new Anything();
const data = { places: [[0, 0], [1, 1]], labels: [-1, -1], classes: [], names: ["a", "b"] };
for (let i = 0; i < 3; i++) showMap(root, data, () => {});
console.log(watching);
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_a_map_that_is_replaced_is_drawn_no_more() -> None:
    script = BROWSER + part("map.js") + MAPS
    done = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "1\n"
