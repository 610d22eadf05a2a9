/* lua_random.c -- the random stream: tide.seed, its state, and generators.
**
** A generator is a stream of its own.  Functions that draw take one through
** {generator=g}; g:run(f, ...) makes it the stream of everything that f draws. */
#include "lua_td.h"

#define GENERATOR "tide.Generator"

td_rng *td_lua_generator(lua_State *L, int i) {
  td_rng *r = luaL_testudata(L, i, GENERATOR);
  if (!r) td_lua_error(L, "generator expected (tide.generator(seed)), got %s",
                       luaL_typename(L, i));
  return r;
}

static uint64_t read_seed(lua_State *L, int i) {
  int exact;
  lua_Integer v = lua_tointegerx(L, i, &exact);
  if (lua_type(L, i) != LUA_TNUMBER || !exact)
    td_lua_error(L, "seed: an integer is needed, not %s",
                 luaL_tolstring(L, i, NULL));
  return (uint64_t)v;
}

/* A state is {seed=, offset=}: all there is to a counter-based stream. */
static int push_state(lua_State *L, const td_rng *r) {
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, (lua_Integer)r->seed);
  lua_setfield(L, -2, "seed");
  lua_pushinteger(L, (lua_Integer)r->offset);
  lua_setfield(L, -2, "offset");
  return 1;
}

static void read_state(lua_State *L, int i, td_rng *r) {
  static const char *const names[] = { "seed", "offset", NULL };
  int good = 0, also = 0;
  if (lua_type(L, i) != LUA_TTABLE)
    td_lua_error(L, "random state: a table {seed=, offset=} is needed, not %s",
                 luaL_typename(L, i));
  td_lua_keys(L, i, "random state", names);
  lua_getfield(L, i, "seed");
  lua_Integer seed = lua_tointegerx(L, -1, &good);
  lua_getfield(L, i, "offset");
  lua_Integer offset = lua_tointegerx(L, -1, &also);
  if (!good || !also)
    td_lua_error(L, "random state: seed and offset must be integers");
  *r = (td_rng){ (uint64_t)seed, (uint64_t)offset };
}

/* ---- the current stream ---- */

static int l_seed(lua_State *L) {
  td_seed(read_seed(L, 1));
  return 0;
}

/* tide.random_state([state]): the state before, and sets one */
static int l_random_state(lua_State *L) {
  push_state(L, td_rng_current());
  if (!lua_isnoneornil(L, 1)) {
    td_rng r;
    int top = lua_gettop(L);
    read_state(L, 1, &r);
    *td_rng_current() = r;
    lua_settop(L, top);
  }
  return 1;
}

/* ---- generators ---- */

static int l_generator(lua_State *L) {
  td_rng state = { .seed = lua_isnoneornil(L, 1) ? 0 : read_seed(L, 1) };
  td_rng *r = lua_newuserdatauv(L, sizeof *r, 0);
  *r = state;
  luaL_setmetatable(L, GENERATOR);
  return 1;
}

static int g_seed(lua_State *L) {
  td_rng *r = td_lua_generator(L, 1);
  *r = (td_rng){ .seed = read_seed(L, 2) };
  lua_settop(L, 1);
  return 1;
}

static int g_state(lua_State *L) {
  return push_state(L, td_lua_generator(L, 1));
}

static int g_set_state(lua_State *L) {
  td_rng *r = td_lua_generator(L, 1), state;
  read_state(L, 2, &state);
  *r = state;
  lua_settop(L, 1);
  return 1;
}

typedef struct borrowed { bool open; td_rng *old; } borrowed;

static int l_return_stream(lua_State *L) {
  borrowed *b = lua_touserdata(L, 1);
  if (b->open) td_rng_use(b->old);
  b->open = false;
  return 0;
}

static int run_done(lua_State *L, int status, lua_KContext unused) {
  (void)status;
  (void)unused;
  return lua_gettop(L) - 2;
}

/* g:run(f, ...): f must not yield, or others would draw from g meanwhile; a job
** may, whose stream goes with it */
static int g_run(lua_State *L) {
  td_rng *r = td_lua_generator(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  borrowed *b = lua_newuserdatauv(L, sizeof *b, 0);
  b->open = false;
  if (luaL_newmetatable(L, "tide.Stream")) {
    lua_pushcfunction(L, l_return_stream);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  lua_insert(L, 2);                     /* generator, guard, f, arguments */
  lua_toclose(L, 2);
  b->old = td_rng_use(r);
  b->open = true;
  lua_callk(L, lua_gettop(L) - 3, LUA_MULTRET, 0,
            td__lua_is_job(L) ? run_done : NULL);
  return run_done(L, LUA_OK, 0);
}

static int g_tostring(lua_State *L) {
  td_rng *r = td_lua_generator(L, 1);
  lua_pushfstring(L, "generator(seed %I, offset %I)", (LUAI_UACINT)r->seed,
                  (LUAI_UACINT)r->offset);
  return 1;
}

static void open_generators(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "seed", g_seed }, { "state", g_state }, { "set_state", g_set_state },
    { "state_dict", g_state }, { "load_state_dict", g_set_state },
    { "run", g_run }, { "__tostring", g_tostring }, { NULL, NULL }
  };
  luaL_newmetatable(L, GENERATOR);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void td__lua_random(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "seed", l_seed }, { "random_state", l_random_state },
    { "generator", l_generator }, { NULL, NULL }
  };
  open_generators(L);
  luaL_setfuncs(L, functions, 0);
}
