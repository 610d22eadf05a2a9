#!/bin/sh
# install.sh -- sh .make/install.sh install|uninstall BUILD PREFIX: copies what was built, or removes it.
set -eu
what=$1 build=$2 to=$3
bin=$to/bin lib=$to/lib/lua/5.4 doc=$to/share/doc/springtide
man=$to/share/man/man1/tide.1
bash=$to/share/bash-completion/completions/tide zsh=$to/share/zsh/site-functions/_tide

uninstall() {
  rm -f "$bin/tide" "$lib/tide.so" "$man" "$bash" "$zsh"
  rm -rf "$doc"
}

install() {
  mkdir -p "$bin" "$doc"
  cp "$build/tide" "$bin/tide.new"
  mv "$bin/tide.new" "$bin/tide" # a running tide keeps its file
  if [ -f "$build/tide.so" ]; then
    mkdir -p "$lib"
    cp "$build/tide.so" "$lib/tide.so.new"
    mv "$lib/tide.so.new" "$lib/tide.so"
  fi
  mkdir -p "${man%/*}" "${bash%/*}" "${zsh%/*}"
  cp vm/tide.1 "$man"
  cp vm/tide.bash "$bash"
  cp vm/_tide "$zsh"
  for f in README.md CHANGELOG.md LICENSE examples notebooks; do
    if [ -e "$f" ]; then cp -R "$f" "$doc/"; fi
  done
  echo "installed $bin/tide; examples are in $doc/examples"
}

"$what"
