#!/bin/sh
# Makes the include folder of one room: links to the rooms it may see, and to no other.
# Called by meson at configure time: include.sh LIB_SOURCE LIB_BUILD ROOM [PERMITTED_ROOM...]
set -eu
src=$1 room=$3
out=$2/include/$room
shift 3
rm -rf "$out"
mkdir -p "$out"
[ -d "$src/$room" ] && set -- "$room" "$@"
for r in "$@"; do ln -s "$src/$r" "$out/$r"; done
