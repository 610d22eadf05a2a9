/* xclose.c -- asks a window to close, as the cross in its frame does: xclose ID */
#include <X11/Xlib.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  Display *d = argc == 2 ? XOpenDisplay(NULL) : NULL;
  if (!d) return EXIT_FAILURE;
  XEvent e = {.xclient = {.type = ClientMessage, .format = 32}};
  e.xclient.window = strtoul(argv[1], NULL, 0);
  e.xclient.message_type = XInternAtom(d, "WM_PROTOCOLS", False);
  e.xclient.data.l[0] = (long)XInternAtom(d, "WM_DELETE_WINDOW", False);
  XSendEvent(d, e.xclient.window, False, NoEventMask, &e);
  XCloseDisplay(d);
  return EXIT_SUCCESS;
}
