// Package rootfs turns the files that run inside nginx into an embedded file
// system: the Lua of the data plane.
//
// It holds no logic and may not write anything: package nginx does that.
package rootfs

import (
	"embed"
	"io/fs"
)

//go:embed all:etc/nginx/lua
var files embed.FS

// Lua is the content of the folder that lua_package_path points to.
func Lua() fs.FS {
	lua, err := fs.Sub(files, "etc/nginx/lua")
	if err != nil {
		panic(err) // the path is a constant that the compiler has seen
	}
	return lua
}
