# lab.py -- JupyterLab as a person uses it, in headless Chromium: opens notebook 3, runs all of it, moves its
# slider, keeps pictures of the page in the folder given.
#
#   LAB_PYTHON tests/kernel/lab.py FOLDER      a Python with jupyterlab, ipywidgets and playwright; Chromium
#
# It waits for signs (texts, pictures, messages), with PATIENCE as the limit of each.
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from playwright.sync_api import sync_playwright

PATIENCE = 240
TIDE = os.environ.get("TIDE", os.path.abspath("build/tide"))
BOOK = "03-alignment.ipynb"


def wait_for(what, text):
    end = time.time() + PATIENCE
    while time.time() < end:
        try:
            found = what()
        except (OSError, ValueError):  # not there, or half written
            found = None
        if found:
            return found
        time.sleep(0.2)
    sys.exit("did not come: " + text)


def start_lab(home):
    place = os.path.join(home, "place")
    subprocess.run([TIDE, "kernel", "install", "--prefix", place], check=True, stdout=subprocess.DEVNULL)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = dict(os.environ, HOME=home, JUPYTER_PATH=place + "/share/jupyter")
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
         "--IdentityProvider.token=", "--ServerApp.password=", f"--notebook-dir={home}/books"],
        env=env, stdout=open(home + "/log", "w"), stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: urllib.request.urlopen(url + "/api").status == 200, "JupyterLab at " + url)
    return server, url


def run_all(page):
    page.get_by_role("menuitem", name="Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).first.click()


def is_done(home):
    """Has each cell of code a number? The page saves the notebook as it goes; we ask the page to."""
    book = json.load(open(f"{home}/books/{BOOK}"))
    cells = [c for c in book["cells"] if c["cell_type"] == "code"]
    errors = [o for c in cells for o in c["outputs"] if o["output_type"] == "error"]
    if errors:
        sys.exit("a cell failed: " + "\n".join(errors[0]["traceback"]))
    return all(c["execution_count"] for c in cells)


def pictures(page):
    """Addresses of the pictures of the cell that has the slider."""
    images = page.locator(".jp-Cell:has(.widget-slider) img")
    return [images.nth(i).get_attribute("src") for i in range(images.count())]


def main(folder):
    os.makedirs(folder, exist_ok=True)
    home = tempfile.mkdtemp()
    os.makedirs(home + "/books")
    subprocess.run([TIDE, "nb", "--clear", "--quiet", "notebooks/" + BOOK, "-o", f"{home}/books/{BOOK}"],
                   check=True)
    server, url = start_lab(home)
    try:
        with sync_playwright() as p:
            browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(f"{url}/lab/tree/{BOOK}?reset")
            page.locator(".jp-NotebookPanel").wait_for(timeout=PATIENCE * 1000)
            page.get_by_text("Springtide", exact=False).first.wait_for(timeout=PATIENCE * 1000)
            run_all(page)

            def saved():
                page.keyboard.press("Control+s")
                return is_done(home)
            wait_for(saved, "the end of the run")
            slider = page.locator(".widget-slider").first
            for _ in range(400):           # Lab draws only what is in view
                if slider.count() and slider.is_visible():
                    break
                page.mouse.move(700, 600)
                page.mouse.wheel(0, 400)
                page.wait_for_timeout(50)
            slider.scroll_into_view_if_needed()
            before = wait_for(lambda: pictures(page), "the picture above the slider")
            page.screenshot(path=folder + "/before.png")
            handle = slider.locator(".noUi-handle").first
            handle.focus()
            for _ in range(6):
                page.keyboard.press("ArrowRight")
            after = wait_for(lambda: pictures(page) != before and pictures(page), "another picture")
            page.screenshot(path=folder + "/after.png")
            print(f"the slider changed {len(after)} picture(s); the page is in {folder}/after.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "build/lab")
