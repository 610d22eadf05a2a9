/* test_loop.c -- the thread of the windows, with SDL's driver that shows nothing: events
** that are pushed come through it, windows open and close while all goes on.
**
** Counts are small; for long runs: LOOPS=500 build/tests/window/test_loop, and the same
** below build/san, where nothing may be left behind.
** time limit: 200 s */
#include <SDL.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/window/figures.h"
#include "vm/plot_window.h"

static const td_plot_limits ten = {0, 10};
static const double xs[] = {1, 3, 5, 9}, ys[] = {2, 8, 4, 6};
static int (*push)(SDL_Event *);

static int loops(int usual) {
  const char *n = getenv("LOOPS");
  return n ? atoi(n) : usual;
}

/* Events can be pushed, or the case is left out. */
static bool begin(void) {
  td__plot_any_driver = true;
  setenv("SDL_VIDEODRIVER", "dummy", 1);
  unsetenv("TIDE_HEADLESS");
  void *lib = dlopen("libSDL2-2.0.so.0", RTLD_NOW | RTLD_LOCAL);
  if (lib) push = (__typeof__(push))dlsym(lib, "SDL_PushEvent");
  return push != NULL;
}
#define BEGIN if (!begin()) SKIP("SDL2 is not installed")

static td_plot_figure *make(int size) {
  td_plot_figure *f = make_figure(1, size, size);
  add_artist(make_axes(f, 0, ten, ten), TD_PLOT_LINE, "name", 4, xs, ys);
  return f;
}

/* Until the condition holds; false after a long while. */
#define WAIT_FOR(cond) \
  do { \
    double until_ = td__plot_clock() + 60; \
    bool good_ = false; \
    while (!(good_ = (cond)) && td__plot_clock() < until_) usleep(2000); \
    if (!good_) FAIL("not in a minute: %s", #cond); \
  } while (0)

/* SDL numbers windows from 1, in the order in which they are opened. */
static Uint32 opened;
static bool show(td_plot_figure *f) {
  if (td_plot_window_open(f, 0)) return true;
  bool shown = td_plot_window_show(f) == TD_PLOT_SHOWN;
  if (!shown) FAIL("not shown: %s", td_plot_error());
  opened += shown;
  return shown;
}

static void press(Uint32 id, Uint32 type, int x, int y) {
  SDL_Event e = {.button = {.type = type, .windowID = id, .button = SDL_BUTTON_LEFT,
                            .clicks = 1, .x = x, .y = y}};
  push(&e);
}

static void move(Uint32 id, int x, int y) {
  SDL_Event e = {.motion = {.type = SDL_MOUSEMOTION, .windowID = id, .x = x, .y = y}};
  push(&e);
}

static void window_event(Uint32 id, Uint8 what) {
  SDL_Event e = {.window = {.type = SDL_WINDOWEVENT, .windowID = id, .event = what}};
  push(&e);
}

static void type(Uint32 id, const char *text) {
  SDL_Event e = {.text = {.type = SDL_TEXTINPUT, .windowID = id}};
  snprintf(e.text.text, sizeof e.text.text, "%s", text);
  push(&e);
}

static long memory(void) { /* resident, in kB */
  long pages = 0, more;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f && fscanf(f, "%ld %ld", &more, &pages) != 2) pages = 0;
  if (f) fclose(f);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- windows ------------------------------------------------------------- */
TEST(many_motions_are_few_frames) {
  BEGIN;
  td_plot_figure *f = make(200);
  REQUIRE(show(f));
  Uint32 id = opened;
  WAIT_FOR(td_plot_window_spent(f).frames > 0);
  press(id, SDL_MOUSEBUTTONDOWN, 150, 150);
  for (int k = 0; k < 500; k++) move(id, 100 + k % 100, 150);
  press(id, SDL_MOUSEBUTTONUP, 199, 150);
  unsigned frames = 0;
  WAIT_FOR((frames += td_plot_window_spent(f).frames) > 0);
  usleep(100000);
  frames += td_plot_window_spent(f).frames;
  CHECK(frames < 100);
  td_plot_window_close(f);
  CHECK(!td_plot_window_open(f, 0));
  td_plot_figure_drop(f);
}

TEST(a_person_closes_one_of_two) {
  BEGIN;
  td_plot_figure *f = make(100), *g = make(120);
  REQUIRE(show(f));
  Uint32 id = opened;
  REQUIRE(show(g));
  window_event(id, SDL_WINDOWEVENT_CLOSE);
  CHECK(!td_plot_window_open(f, 60000));
  CHECK(td_plot_window_open(g, 0));
  CHECK(!td_plot_window_due(f));
  press(id, SDL_MOUSEBUTTONDOWN, 50, 50); /* to one that is gone, and to none */
  move(9999, 50, 50);
  type(0, "q");
  SDL_Event quit = {.type = SDL_QUIT};
  push(&quit);
  td_plot_artist_push(g->axes[0]->artists[0], 4, 4);
  WAIT_FOR(td_plot_window_spent(g).frames > 0);
  CHECK(td_plot_window_open(g, 0));
  REQUIRE(show(f)); /* again */
  td_plot_window_close(f);
  td_plot_window_close(g);
  td_plot_figure_drop(f);
  td_plot_figure_drop(g);
}

TEST(keys_save_what_is_seen) {
  BEGIN;
  char dir[] = "/tmp/tide-window-XXXXXX", here[4096];
  REQUIRE(mkdtemp(dir) && getcwd(here, sizeof here) && chdir(dir) == 0);
  td_plot_figure *f = make(100);
  if (show(f)) {
    WAIT_FOR(td_plot_window_spent(f).frames > 0);
    type(opened, "s");
    WAIT_FOR(access("figure-1.png", R_OK) == 0);
    type(opened, "S");
    WAIT_FOR(access("figure-2.svg", R_OK) == 0);
    WAIT_FOR(access("figure-2.pdf", R_OK) == 0);
    CHECK(access("figure-2.png", F_OK) != 0);
  }
  td_plot_window_close(f);
  td_plot_figure_drop(f);
  unlink("figure-1.png");
  unlink("figure-2.svg");
  unlink("figure-2.pdf");
  CHECK(chdir(here) == 0 && rmdir(dir) == 0);
}

TEST(hidden_windows_are_not_drawn) {
  BEGIN;
  td_plot_figure *f = make(100);
  REQUIRE(show(f));
  WAIT_FOR(td_plot_window_spent(f).frames > 0);
  window_event(opened, SDL_WINDOWEVENT_MINIMIZED);
  td_plot_figure *g = make(100); /* a later window answers: the event has come */
  REQUIRE(show(g));
  WAIT_FOR(td_plot_window_spent(g).frames > 0);
  td_plot_window_spent(f);
  for (int k = 0; k < 20; k++) td_plot_artist_push(f->axes[0]->artists[0], 4, k);
  usleep(50000);
  CHECK_INT(td_plot_window_spent(f).frames, 0);
  window_event(opened - 1, SDL_WINDOWEVENT_RESTORED);
  WAIT_FOR(td_plot_window_spent(f).frames > 0);
  td_plot_window_close(f);
  td_plot_window_close(g);
  td_plot_figure_drop(f);
  td_plot_figure_drop(g);
}

/* A person is busy in a window while it is opened and closed. */
static atomic_bool over;
static void *disturb(void *unused) {
  uint64_t state = 11;
  (void)unused;
  while (!atomic_load(&over)) {
    Uint32 id = 1 + (Uint32)(draw_number(&state) * 60);
    int x = (int)(draw_number(&state) * 200), y = (int)(draw_number(&state) * 200);
    switch ((int)(draw_number(&state) * 6)) {
      case 0: press(id, SDL_MOUSEBUTTONDOWN, x, y); break;
      case 1: press(id, SDL_MOUSEBUTTONUP, x, y); break;
      case 2: type(id, "ghlfbn+-?"); break;
      case 3: window_event(id, SDL_WINDOWEVENT_EXPOSED); break;
      case 4: if (x < 20) window_event(id, SDL_WINDOWEVENT_CLOSE); break;
      default: move(id, x, y);
    }
    usleep(100);
  }
  return NULL;
}

TEST(figures_change_open_and_close_while_all_goes_on) {
  BEGIN;
  pthread_t t;
  td_plot_figure *f = make(150);
  REQUIRE(show(f));
  atomic_store(&over, false);
  REQUIRE(pthread_create(&t, NULL, disturb, NULL) == 0);
  for (int k = 0; k < loops(40); k++) {
    show(f);
    for (int i = 0; i < 200; i++) {
      td_plot_artist_push(f->axes[0]->artists[0], i % 10, k % 10);
      td_plot_window_due(f);
    }
    if (k % 7 == 0) set_numbers(f->axes[0]->artists[0], 4, xs, ys);
    if (k % 3 == 0) td_plot_window_close(f);
  }
  atomic_store(&over, true);
  pthread_join(t, NULL);
  td_plot_window_close(f);
  td_plot_figure_drop(f);
}

/* ---- what is left behind ------------------------------------------------- */
static void check_memory(long before) {
  long more = memory() - before;
#ifdef __SANITIZE_ADDRESS__ /* it keeps what is freed, and looks for what is lost itself */
  more = 0;
#endif
  if (more >= 3000) FAIL("%ld kB more", more);
}

static void open_and_close(int n) {
  for (int k = 0; k < n; k++) {
    td_plot_figure *f = make(100);
    show(f);
    td_plot_window_close(f);
    td_plot_figure_drop(f);
  }
}

TEST(windows_leave_nothing) {
  BEGIN;
  open_and_close(30);
  long before = memory();
  open_and_close(loops(100));
  check_memory(before);
}

TEST(updates_leave_nothing) {
  BEGIN;
  td_plot_figure *f = make(100);
  REQUIRE(show(f));
  long before = 0;
  int n = loops(100) * 400;
  for (int k = 0; k < n; k++) {
    if (k == n / 4) before = memory();
    set_numbers(f->axes[0]->artists[0], 4, k % 2 ? xs : ys, ys);
  }
  check_memory(before);
  td_plot_window_close(f);
  td_plot_figure_drop(f);
}
