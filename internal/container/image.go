package container

import (
	"encoding/json"
	goruntime "runtime"
	"strings"
	"sync"
)

// reference takes the name of an image apart: "host:5000/team/app:1.2@sha256:…" is the repository up to the tag, the tag and
// the digest. Parts that the name does not have are "".
func reference(name string) (repository, tag, digest string) {
	repository, digest, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(repository, ':'); i >= 0 && !strings.Contains(repository[i:], "/") {
		repository, tag = repository[:i], repository[i+1:]
	}
	return repository, tag, digest
}

// isImageID reports whether the name of an image is the id of one rather than a name: "sha256:…" or at least 12
// hexadecimal digits, as docker takes them.
func isImageID(name string) bool {
	name, prefixed := strings.CutPrefix(name, "sha256:")
	if len(name) < shownDigits || len(name) > idDigits {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return prefixed || len(name) == idDigits || len(name) == shownDigits
}

// setImage fills in what follows from the names of the image: the one that the container was made from, and those by which
// the runtime knows it now. Where the first is an id, it takes the repository and the tag from the others.
func (c *Container) setImage(name string, tags, digests []string) {
	c.Image = name
	named := name != "" && !isImageID(name)
	if named {
		c.Repository, c.Tag, c.Digest = reference(name)
	}
	for _, t := range tags {
		if !named && c.Repository == "" && t != "<none>:<none>" {
			c.Repository, c.Tag, _ = reference(t)
		}
	}
	for _, d := range digests {
		repository, _, digest := reference(d)
		if digest == "" || repository == "<none>" {
			continue
		}
		if c.Repository == "" {
			c.Repository = repository
		}
		// A digest of the same repository is the one meant; any other will do where there is none.
		if c.Digest == "" || repository == c.Repository && !strings.Contains(name, "@") {
			c.Digest = digest
		}
		if repository == c.Repository {
			break
		}
	}
	if c.Repository != "" && c.Tag == "" && !strings.Contains(name, "@") && named {
		c.Tag = "latest" // what a runtime takes a name without tag for
	}
}

// manifests knows the ids of images by their digests. An image's id is the digest of its configuration, which stands in its
// manifest; what has a digest may also be an index of manifests for several architectures.
type manifests struct {
	mu  sync.Mutex
	ids map[string]string
}

// Bounds of what is read and kept of manifests.
const (
	maxManifest  = 1 << 20
	maxManifests = 1024
)

// id returns the id of the image with a digest, "" if it cannot be found.
func (m *manifests) id(digest string, read func(digest string) ([]byte, error)) string {
	if digest == "" {
		return ""
	}
	m.mu.Lock()
	id, ok := m.ids[digest]
	m.mu.Unlock()
	if ok {
		return id
	}
	for at, depth := digest, 0; at != "" && depth < 3; depth++ {
		raw, err := read(at)
		if err != nil {
			return "" // an image that was removed, while its containers run
		}
		var x struct {
			Config    struct{ Digest string }
			Manifests []struct {
				Digest   string
				Platform struct{ Architecture, OS string }
			}
		}
		if json.Unmarshal(raw, &x) != nil {
			return ""
		}
		if at = ""; x.Config.Digest != "" {
			id = cut(strings.TrimPrefix(x.Config.Digest, "sha256:"), maxText)
			break
		}
		for _, of := range x.Manifests {
			if at == "" || of.Platform.OS == "linux" && of.Platform.Architecture == goruntime.GOARCH {
				at = of.Digest
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids == nil || len(m.ids) >= maxManifests {
		m.ids = map[string]string{}
	}
	m.ids[digest] = id
	return id
}
