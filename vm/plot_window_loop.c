/* plot_window_loop.c -- the thread of the windows: SDL, events, pace.
**
** SDL is loaded when the first window opens, so that programs without windows
** neither need it nor wait for it. Only this thread calls SDL and Xlib. When the X
** server goes away Xlib would end the process; here it ends this loop, with a
** jump, and SDL is not touched again. */
#include "vm/plot_window.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vm/plot_panel.h"
#include "vm/plot_view.h"

#if __has_include(<SDL.h>)
#include <SDL.h>
#include <SDL_syswm.h>

#define PIXELS_PER_POINT 1.5
#define INPUT_S 0.3   /* after input, frames are not held back */
#define IDLE_MS 500   /* looks for events at least so often */
#define POLL_MS 10    /* where the display has nothing to wait for */

/* ---- libraries ----------------------------------------------------------- */
#define SDL_FUNCTIONS(F) \
  F(Init) F(Quit) F(GetError) F(SetHint) F(GetCurrentVideoDriver) F(CreateWindow) \
  F(DestroyWindow) F(GetWindowID) F(GetWindowSize) F(SetWindowSize) F(SetWindowMinimumSize) \
  F(GetWindowSurface) F(UpdateWindowSurfaceRects) F(ConvertPixels) F(PollEvent) \
  F(GetDisplayUsableBounds) F(EnableScreenSaver) F(GetWindowWMInfo) F(GetModState) \
  F(SetWindowTitle)

static struct {
#define F(name) __typeof__(SDL_##name) *name;
  SDL_FUNCTIONS(F)
#undef F
  void (*GetWindowSizeInPixels)(SDL_Window *, int *, int *); /* since 2.26, or NULL */
} sdl;

static bool load_sdl(char *why) {
#ifdef __APPLE__
  static const char name[] = "libSDL2-2.0.0.dylib";
#else
  static const char name[] = "libSDL2-2.0.so.0";
#endif
  void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    snprintf(why, 200, "SDL2 is not installed (%s)", name);
    return false;
  }
#define F(name) \
  if (!(sdl.name = (__typeof__(sdl.name))dlsym(lib, "SDL_" #name))) \
    return snprintf(why, 200, "this SDL2 has no SDL_" #name), false;
  SDL_FUNCTIONS(F)
#undef F
  sdl.GetWindowSizeInPixels = (__typeof__(sdl.GetWindowSizeInPixels))dlsym(
      lib, "SDL_GetWindowSizeInPixels");
  return true;
}

/* ---- a display that goes away -------------------------------------------- */
typedef int x_io_handler(void *display);
typedef int x_handler(void *display, void *event);

static pthread_t self;
static sigjmp_buf lost;
static x_io_handler *other_io; /* what was set before */
static int x_fd = -1;          /* where events of X come from */
static int (*x_number)(void *display);

/* Another thread's display is another library's matter. */
static int on_lost(void *display) {
  if (!pthread_equal(pthread_self(), self)) return other_io ? other_io(display) : 0;
  siglongjmp(lost, 1);
}

/* Requests that fail one by one are no reason to end. */
static int on_x_error(void *display, void *event) {
  (void)display, (void)event;
  return 0;
}

static void watch_display(void) {
  void *lib = dlopen("libX11.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (!lib) return;
  x_io_handler *(*set_io)(x_io_handler *);
  x_handler *(*set)(x_handler *);
  set_io = (__typeof__(set_io))dlsym(lib, "XSetIOErrorHandler");
  set = (__typeof__(set))dlsym(lib, "XSetErrorHandler");
  x_number = (__typeof__(x_number))dlsym(lib, "XConnectionNumber");
  if (set_io) other_io = set_io(on_lost);
  if (set) set(on_x_error);
}

static bool is_headless(const char *driver) {
  return !driver || !strcmp(driver, "offscreen") || !strcmp(driver, "dummy") ||
         !strcmp(driver, "evdev");
}

/* Sending the pixels is fastest where the X server is on this machine. */
static bool is_local(const char *driver) {
  const char *display = getenv("DISPLAY");
  return !strcmp(driver, "x11") && display &&
         (display[0] == ':' || !strncmp(display, "unix", 4));
}

static bool open_sdl(char *why) {
  static const char *const hints[][2] = {
    {SDL_HINT_NO_SIGNAL_HANDLERS, "1"}, {SDL_HINT_VIDEO_X11_NET_WM_PING, "0"},
    {SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0"},
    {SDL_HINT_QUIT_ON_LAST_WINDOW_CLOSE, "0"},
    {SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1"}
  };
  if (!load_sdl(why)) return false;
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
    sdl.SetHint(hints[i][0], hints[i][1]);
  if (sdl.Init(SDL_INIT_VIDEO)) {
    snprintf(why, 200, "there is no display (%.150s)", sdl.GetError());
    return false;
  }
  const char *driver = sdl.GetCurrentVideoDriver();
  if (!td__plot_any_driver && is_headless(driver)) {
    snprintf(why, 200, "there is no display (SDL chose \"%.40s\")",
             driver ? driver : "nothing");
    sdl.Quit();
    return false;
  }
  if (is_local(driver)) sdl.SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
  if (!strcmp(driver, "x11")) watch_display();
  sdl.EnableScreenSaver();
  return true;
}

/* ---- windows ------------------------------------------------------------- */
typedef struct pane {
  td_plot_view *view;
  SDL_Window *window;
  Uint32 id;
  bool hidden, exposed;
  double density; /* pixels in one of the window's units */
  double page;    /* width of the axes' page in points, when it was opened, */
  double unit;    /* the window's units in a point */
  double room[2]; /* points for controls beside and below, the most so far */
  char title[200];
  double next;  /* no frame for new data before */
  double frame; /* when the last one was done */
  double input; /* when the last input came */
} pane;

static double cpu_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The largest window that the display has room for. */
static void most_room(double *w, double *h) {
  SDL_Rect r;
  *w = *h = INFINITY;
  if (sdl.GetDisplayUsableBounds(0, &r) == 0 && r.w > 200 && r.h > 200)
    *w = 0.98 * r.w, *h = 0.92 * r.h;
}

/* Pixels per point: TIDE_SCALE, or less where the page would not fit. */
static double choose_scale(double w, double h) {
  const char *asked = getenv("TIDE_SCALE");
  double scale = asked ? strtod(asked, NULL) : 0, most_w, most_h;
  if (scale >= 0.25 && scale <= 16) return scale;
  most_room(&most_w, &most_h);
  return fmax(fmin(PIXELS_PER_POINT, fmin(most_w / w, most_h / h)), 0.5);
}

static void close_pane(td_plot_window *w) {
  pane *p = w->own;
  if (!p) return;
  td_plot_view_free(p->view);
  if (p->window) sdl.DestroyWindow(p->window);
  free(p);
  w->own = NULL;
}

static void watch_events(const pane *p) {
  SDL_SysWMinfo info;
  SDL_VERSION(&info.version);
  if (x_fd < 0 && x_number && sdl.GetWindowWMInfo(p->window, &info) &&
      info.subsystem == SDL_SYSWM_X11)
    x_fd = x_number(info.info.x11.display);
}

/* The view gets the size that the window has now. */
static void fit_view(pane *p) {
  int w, h, pw, ph;
  sdl.GetWindowSize(p->window, &w, &h);
  pw = w, ph = h;
  if (sdl.GetWindowSizeInPixels) sdl.GetWindowSizeInPixels(p->window, &pw, &ph);
  double density = w > 0 && pw > 0 ? (double)pw / w : 1;
  double ratio = density / p->density;
  if (ratio != 1) p->view->scale *= ratio, p->view->full_w *= ratio, p->view->full_h *= ratio;
  p->density = density;
  td_plot_view_resize(p->view, pw, ph);
  p->exposed = true;
}

static bool open_pane(td_plot_window *w) {
  pane *p = calloc(1, sizeof *p);
  td_plot_figure *s = p ? td_plot_snapshot(w->figure) : NULL;
  w->own = p;
  if (!s) return false;
  double *size = s->o.size.v, *room = p->room;
  p->page = size[0];
  td_plot_panel_room(w->figure, p->page, &room[0], &room[1]);
  size[0] += room[0], size[1] += room[1];
  double scale = p->unit = choose_scale(size[0], size[1]);
  const char *title = td_plot_text(&s->o.title, 0);
  p->view = td_plot_view_new(w->figure, scale);
  p->window = sdl.CreateWindow(
      title && *title ? title : "Springtide", SDL_WINDOWPOS_UNDEFINED,
      SDL_WINDOWPOS_UNDEFINED, (int)(size[0] * scale + 0.5),
      (int)(size[1] * scale + 0.5),
      SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
  if (p->view) {
    p->view->full_w = size[0] * scale, p->view->full_h = size[1] * scale;
    p->view->several = s->naxes > 1 || room[0] + room[1] > 0;
  }
  td_plot_figure_drop(s);
  if (!p->window) td_plot_fail("SDL: %s", sdl.GetError());
  if (!p->window || !p->view) return false;
  sdl.SetWindowMinimumSize(p->window, 160, 120);
  p->density = 1;
  fit_view(p);
  p->id = sdl.GetWindowID(p->window);
  watch_events(p);
  return true;
}

/* Controls that came later get room of their own, not that of the axes. */
static void make_room(pane *p, const td_plot_figure *f) {
  double room[2], most[2], add[2];
  int size[2];
  td_plot_panel_room(f, p->page, &room[0], &room[1]);
  if (room[0] <= p->room[0] && room[1] <= p->room[1]) return;
  most_room(&most[0], &most[1]);
  sdl.GetWindowSize(p->window, &size[0], &size[1]);
  for (int k = 0; k < 2; k++) {
    add[k] = fmax(fmin((room[k] - p->room[k]) * p->unit, most[k] - size[k]), 0);
    p->room[k] = fmax(p->room[k], room[k]);
  }
  p->view->full_w += add[0] * p->density, p->view->full_h += add[1] * p->density;
  p->view->several = true;
  sdl.SetWindowSize(p->window, size[0] + (int)add[0], size[1] + (int)add[1]);
  fit_view(p);
}

/* ---- pictures ------------------------------------------------------------ */
/* Copies these pixels of the view to the window; all of them where it is new. */
static void present(pane *p, td_plot_region *dirty) {
  int w, h, n = 0;
  ptrdiff_t stride;
  const uint32_t *from = td_plot_view_pixels(p->view, &w, &h, &stride);
  SDL_Surface *to = sdl.GetWindowSurface(p->window);
  SDL_Rect rect[TD_PLOT_BOXES];
  if (!from || !to) return;
  int bytes = to->format->BytesPerPixel;
  if (p->exposed) td_plot_region_add(dirty, (td_plot_pixel_box){0, 0, w, h});
  for (int i = 0; i < dirty->n; i++) {
    td_plot_pixel_box b =
        td_plot_box_cut(dirty->box[i], (td_plot_pixel_box){0, 0, to->w, to->h});
    if (b.x0 >= b.x1) continue;
    rect[n++] = (SDL_Rect){b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0};
    sdl.ConvertPixels(b.x1 - b.x0, b.y1 - b.y0, SDL_PIXELFORMAT_RGB888,
                      from + b.y0 * stride + b.x0, (int)stride * 4,
                      to->format->format,
                      (char *)to->pixels + (ptrdiff_t)b.y0 * to->pitch + b.x0 * bytes,
                      to->pitch);
  }
  if (n) p->exposed = sdl.UpdateWindowSurfaceRects(p->window, rect, n) != 0;
}

/* When the pane wants to be drawn: now or before, later, or INFINITY. */
static double wanted(const pane *p, double now) {
  if (p->hidden) return INFINITY;
  if (p->exposed) return now;
  double at = td_plot_view_alarm(p->view);
  if (td_plot_view_touched(p->view, now)) at = p->frame + TD_PLOT_PAUSE / 2;
  if (td_plot_view_behind(p->view)) {
    bool hot = now - p->input < INPUT_S;
    at = fmin(at, hot ? p->frame + TD_PLOT_PAUSE : p->next);
  }
  return at;
}

static void draw_pane(td_plot_window *w, double now) {
  pane *p = w->own;
  bool data = td_plot_view_behind(p->view);
  double began = cpu_clock(), clock = td__plot_clock();
  td_plot_region dirty;
  if (atomic_load(&w->figure->overlay_changes) != p->view->over_drawn) make_room(p, w->figure);
  if (td_plot_view_draw(p->view, now, &dirty) == 0) present(p, &dirty);
  else p->exposed = false; /* too small, or no memory: wait for a change */
  if (strcmp(p->title, p->view->title)) {
    snprintf(p->title, sizeof p->title, "%s", p->view->title);
    sdl.SetWindowTitle(p->window, p->title);
  }
  double cost = cpu_clock() - began;
  p->frame = td__plot_clock();
  double pause = fmax(TD_PLOT_PAUSE, cost / TD_PLOT_SHARE - cost);
  if (data) p->next = p->frame + pause;
  td__plot_desk_lock();
  if (data) w->pause = pause;
  w->cost.frames++;
  w->cost.cpu += cost;
  w->cost.wall += p->frame - clock;
  td__plot_desk_unlock(false);
}

/* ---- events -------------------------------------------------------------- */
/* It stays: nothing but this thread takes away what a window owns. */
static td_plot_window *by_id(Uint32 id) {
  td__plot_desk_lock();
  td_plot_window *w = td__plot_desk.windows;
  while (w && !(w->own && ((pane *)w->own)->id == id)) w = w->next;
  td__plot_desk_unlock(false);
  return w;
}

static void on_window(td_plot_window *w, const SDL_WindowEvent *e) {
  pane *p = w->own;
  switch (e->event) {
    case SDL_WINDOWEVENT_CLOSE:
      td__plot_desk_lock();
      w->state = TD_PLOT_CLOSING;
      td__plot_desk_unlock(false);
      break;
    case SDL_WINDOWEVENT_SIZE_CHANGED:
      fit_view(p);
      break;
    case SDL_WINDOWEVENT_HIDDEN: case SDL_WINDOWEVENT_MINIMIZED:
      p->hidden = true;
      break;
    case SDL_WINDOWEVENT_SHOWN: case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_MAXIMIZED: case SDL_WINDOWEVENT_EXPOSED:
      p->hidden = false;
      p->exposed = true;
      break;
    case SDL_WINDOWEVENT_LEAVE:
      td_plot_view_input(p->view, (td_plot_event){.kind = TD_PLOT_LEAVE});
      break;
  }
}

static int key_of(SDL_Keycode k) {
  switch (k) {
    case SDLK_ESCAPE: return TD_PLOT_KEY_ESCAPE;
    case SDLK_RETURN: case SDLK_KP_ENTER: return TD_PLOT_KEY_ENTER;
    case SDLK_TAB: return TD_PLOT_KEY_TAB;
    case SDLK_BACKSPACE: return TD_PLOT_KEY_BACKSPACE;
    case SDLK_DELETE: return TD_PLOT_KEY_DELETE;
    case SDLK_LEFT: return TD_PLOT_KEY_LEFT;
    case SDLK_RIGHT: return TD_PLOT_KEY_RIGHT;
    case SDLK_UP: return TD_PLOT_KEY_UP;
    case SDLK_DOWN: return TD_PLOT_KEY_DOWN;
    case SDLK_HOME: return TD_PLOT_KEY_HOME;
    case SDLK_END: return TD_PLOT_KEY_END;
    case SDLK_PAGEUP: return TD_PLOT_KEY_PAGE_UP;
    case SDLK_PAGEDOWN: return TD_PLOT_KEY_PAGE_DOWN;
    default: return 0; /* what is text comes as text */
  }
}

static unsigned mods_now(void) {
  unsigned m = sdl.GetModState();
  return (m & KMOD_SHIFT ? TD_PLOT_SHIFT : 0) | (m & KMOD_CTRL ? TD_PLOT_CTRL : 0) |
         (m & KMOD_ALT ? TD_PLOT_ALT : 0);
}

static void on_event(const SDL_Event *e, double now) {
  td_plot_window *w = by_id(e->window.windowID); /* the same place in all of these */
  pane *p = w ? w->own : NULL;
  if (!p) return;
  td_plot_event v = {.time = now, .mods = mods_now()};
  if (e->type != SDL_WINDOWEVENT) p->input = now;
  switch (e->type) {
    case SDL_WINDOWEVENT: on_window(w, &e->window); return;
    case SDL_MOUSEMOTION:
      v.kind = TD_PLOT_HOVER;
      v.x = e->motion.x * p->density, v.y = e->motion.y * p->density;
      break;
    case SDL_MOUSEBUTTONDOWN: case SDL_MOUSEBUTTONUP:
      v.kind = e->type == SDL_MOUSEBUTTONDOWN ? TD_PLOT_PRESS : TD_PLOT_RELEASE;
      v.button = e->button.button; /* in the same order */
      v.x = e->button.x * p->density, v.y = e->button.y * p->density;
      v.clicks = e->button.clicks;
      break;
    case SDL_MOUSEWHEEL:
      v.kind = TD_PLOT_WHEEL, v.steps = e->wheel.preciseY;
      break;
    case SDL_TEXTINPUT:
      v.kind = TD_PLOT_KEY;
      for (const char *c = e->text.text; *c; c++)
        if ((unsigned char)*c < 128) {
          v.key = *c;
          td_plot_view_input(p->view, v);
        }
      return;
    case SDL_KEYDOWN:
      v.kind = TD_PLOT_KEY, v.key = key_of(e->key.keysym.sym);
      if (v.mods & TD_PLOT_CTRL && e->key.keysym.sym >= 'a' && e->key.keysym.sym <= 'z')
        v.key = e->key.keysym.sym;
      if (!v.key) return;
      break;
    default: return;
  }
  td_plot_view_input(p->view, v);
}

/* Only events with a window in that place are looked at. */
static bool has_window(Uint32 type) {
  return type == SDL_WINDOWEVENT || type == SDL_MOUSEMOTION ||
         type == SDL_MOUSEBUTTONDOWN || type == SDL_MOUSEBUTTONUP ||
         type == SDL_MOUSEWHEEL || type == SDL_TEXTINPUT || type == SDL_KEYDOWN;
}

/* ---- the loop ------------------------------------------------------------ */
/* Opens and closes what was asked for; the lock is not held while SDL works. */
static void serve(void) {
  td__plot_desk_lock();
  for (td_plot_window *w = td__plot_desk.windows; w; w = w->next) {
    if (w->state != TD_PLOT_ASKED && w->state != TD_PLOT_CLOSING) continue;
    bool opens = w->state == TD_PLOT_ASKED;
    w->waiters++;
    td__plot_desk_unlock(false);
    bool good = opens && open_pane(w);
    if (!good) close_pane(w);
    td__plot_desk_lock();
    w->waiters--;
    if (opens && !good) snprintf(w->error, sizeof w->error, "%s", td_plot_error());
    if (!good) w->state = TD_PLOT_GONE;
    else if (w->state == TD_PLOT_ASKED) w->state = TD_PLOT_OPEN;
  }
  td__plot_desk_unlock(true);
}

/* Gives what one window's axes show now to those that are linked to them. */
static void link_windows(void) {
  td__plot_desk_lock();
  for (td_plot_window *w = td__plot_desk.windows; w; w = w->next) {
    pane *p = w->own;
    for (int i = 0; p && i < p->view->nlinked; i++)
      for (td_plot_window *o = td__plot_desk.windows; o; o = o->next)
        if (o != w && o->own) td_plot_view_follow(((pane *)o->own)->view, &p->view->linked[i]);
    if (p) p->view->nlinked = 0;
  }
  td__plot_desk_unlock(false);
}

/* Draws what is due; returns when to look again. Windows leave the list only on
** Lua's thread, and not while the loop has something in them. */
static double draw(double now) {
  double at = INFINITY;
  td__plot_desk_lock();
  for (td_plot_window *w = td__plot_desk.windows; w; w = w->next) {
    if (!w->own) continue;
    if (wanted(w->own, now) <= now) {
      td__plot_desk_unlock(false);
      draw_pane(w, now);
      td__plot_desk_lock();
      at = 0; /* what X sent meanwhile may be read already */
    } else {
      at = fmin(at, wanted(w->own, now));
    }
  }
  td__plot_desk_unlock(false);
  return at;
}

static bool is_behind(void) {
  bool behind = false;
  td__plot_desk_lock();
  for (td_plot_window *w = td__plot_desk.windows; w; w = w->next) {
    const pane *p = w->own;
    behind |= w->state == TD_PLOT_ASKED || w->state == TD_PLOT_CLOSING ||
              (p && !p->hidden && (td_plot_view_behind(p->view) ||
                                   td_plot_view_touched(p->view, 0)));
  }
  bool quit = td__plot_desk.quit;
  td__plot_desk_unlock(false);
  return behind || quit;
}

static void rest(double at) {
  struct pollfd fds[2] = {{.fd = td__plot_desk.wake, .events = POLLIN},
                          {.fd = x_fd, .events = POLLIN}};
  double ms = 1e3 * (at - td__plot_clock());
  int timeout = x_fd < 0 ? POLL_MS : IDLE_MS;
  uint64_t count;
  if (ms < timeout) timeout = ms > 0 ? (int)ceil(ms) : 0;
  if (timeout == 0) return;
  /* a change that is waited for with a time needs no wake */
  bool asleep = !isfinite(at);
  atomic_store(&td__plot_desk.asleep, asleep);
  if (!asleep || !is_behind()) poll(fds, 2, timeout);
  atomic_store(&td__plot_desk.asleep, false);
  if (read(td__plot_desk.wake, &count, sizeof count) < 0) return;
}

static void turn_once(void) {
  SDL_Event e;
  serve();
  while (sdl.PollEvent(&e))
    if (has_window(e.type)) on_event(&e, td__plot_clock());
  link_windows();
  rest(draw(td__plot_clock()));
}

/* SDL must not be touched any more: windows are only forgotten. */
static void forget(void) {
  td__plot_desk_lock();
  for (td_plot_window *w = td__plot_desk.windows; w; w = w->next) {
    pane *p = w->own;
    if (p) td_plot_view_free(p->view);
    free(p);
    w->own = NULL;
  }
  td__plot_desk_unlock(false);
}

static bool is_over(void) {
  td__plot_desk_lock();
  bool quit = td__plot_desk.quit;
  td__plot_desk_unlock(false);
  return quit;
}

void td__plot_window_loop(char *why) {
  self = pthread_self();
  if (sigsetjmp(lost, 0)) {
    forget();
    snprintf(why, 200, "the display is gone");
    return;
  }
  if (!open_sdl(why)) return;
  td__plot_window_ready();
  while (!is_over()) turn_once();
  td__plot_desk_lock();
  for (td_plot_window *w = td__plot_desk.windows; w; w = w->next)
    if (w->state != TD_PLOT_GONE) w->state = TD_PLOT_CLOSING;
  td__plot_desk_unlock(false);
  serve();
  sdl.Quit();
}

#else
void td__plot_window_loop(char *why) {
  snprintf(why, 200, "this build has no windows: SDL2's headers (libsdl2-dev) were "
           "missing when it was made");
}
#endif
