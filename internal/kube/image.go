package kube

import "strings"

// Reference is the name of an image in its parts.
type Reference struct {
	Registry   string // docker.io where the name has none
	Repository string // without the registry
	Tag        string // "" if there is none
	Digest     string // sha256:…, "" if there is none
}

// ParseImage splits the name of an image: [registry/]repository[:tag][@digest].
func ParseImage(name string) Reference {
	var r Reference
	name, r.Digest, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.Contains(name[i:], "/") {
		name, r.Tag = name[:i], name[i+1:]
	}
	first, rest, ok := strings.Cut(name, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		r.Registry, r.Repository = first, rest
	} else {
		r.Registry, r.Repository = "docker.io", name
	}
	if r.Registry == "docker.io" && !strings.Contains(r.Repository, "/") {
		r.Repository = "library/" + r.Repository
	}
	return r
}

// Floating says that what the name stands for may change: no digest, and the tag latest or none.
func (r Reference) Floating() bool { return r.Digest == "" && (r.Tag == "" || r.Tag == "latest") }
