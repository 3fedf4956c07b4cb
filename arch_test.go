// Package saker_test holds what is true of the whole tree: who may import whom, and that everything is documented.
package saker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/saker-sec/saker/"

// imports says which of our packages each package may import (docs/architecture.md). A package that is not listed must not
// exist.
var imports = map[string]string{
	"cmd/saker":                    "app",
	"rules":                        "",
	"internal/event":               "",
	"internal/event/gen":           "",
	"internal/alert":               "",
	"internal/driver":              "event",
	"internal/capture":             "event",
	"internal/capture/gen":         "",
	"internal/capture/capturetest": "capture event",
	"internal/procfs":              "event",
	"internal/container":           "",
	"internal/kube":                "",
	"internal/kube/kubetest":       "",
	"internal/state":               "event procfs container kube",
	"internal/filter":              "",
	"internal/field":               "event state container",
	"internal/plugin":              "event state field kube",
	"internal/match":               "event state field filter",
	"internal/format":              "event state field",
	"internal/rule":                "alert filter",
	"internal/ruleset":             "event state field filter match format rule alert",
	"internal/engine":              "event state ruleset alert",
	"internal/sink/sinktest":       "alert route sink/httpsink sink/setting sink/message sink/servertest",
	"internal/sink/*":              "alert sink/aws sink/chat sink/function sink/google sink/httpsink sink/kubeapi sink/kubereport sink/message sink/otlp sink/setting sink/wire",
	"internal/sink/stan":           "alert sink/message sink/nats sink/setting sink/wire",
	"internal/sink/opensearch":     "sink/elasticsearch",
	"internal/sink/jetstream":      "alert sink/message sink/nats sink/setting sink/wire",
	"internal/route":               "alert filter queue",
	"internal/queue":               "alert",
	"internal/crowd":               "",
	"internal/ingest":              "alert route crowd",
	"internal/sink/all":            "alert route sink/*",
	"internal/metric":              "alert",
	"internal/web":                 "alert metric crowd",
	"internal/config":              "",
	"internal/app":                 "*",
	"test/alone":                   "",
	"test/live":                    "",
}

// forbidden are names that say nothing about what a package holds.
var forbidden = []string{"util", "utils", "common", "types", "helper", "helpers", "model", "models", "core", "base", "misc"}

// source is one parsed package directory.
type source struct {
	dir   string
	files map[string]*ast.File // without tests
}

func packages(t *testing.T) (map[string]source, *token.FileSet) {
	t.Helper()
	set := token.NewFileSet()
	all := map[string]source{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && p != "." || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(p))
		if all[dir].files == nil {
			all[dir] = source{dir, map[string]*ast.File{}}
		}
		all[dir].files[p] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, set
}

func TestImports(t *testing.T) {
	all, _ := packages(t)
	graph := map[string][]string{}
	for dir, s := range all {
		allowed, ok := imports[dir]
		if !ok && path.Dir(dir) == "internal/sink" {
			allowed, ok = imports["internal/sink/*"]
		}
		if !ok {
			t.Errorf("package %s is not in the table; add it to docs/architecture.md and here", dir)
			continue
		}
		if slices.Contains(forbidden, path.Base(dir)) {
			t.Errorf("package %s has a name that says nothing", dir)
		}
		seen := map[string]bool{}
		for file, f := range s.files {
			for _, i := range f.Imports {
				p := strings.Trim(i.Path.Value, `"`)
				if !strings.HasPrefix(p, module) {
					continue
				}
				p = strings.TrimPrefix(p, module)
				seen[p] = true
				short := strings.TrimPrefix(p, "internal/")
				any := path.Dir(short) + "/*" // "sink/*" allows every sink
				if allowed != "*" && !slices.Contains(strings.Fields(allowed), short) && !slices.Contains(strings.Fields(allowed), any) {
					t.Errorf("%s imports %s; %s may import only [%s]", file, p, dir, allowed)
				}
			}
		}
		for p := range seen {
			graph[dir] = append(graph[dir], p)
		}
		if len(seen) > 10 && allowed != "*" && dir != "internal/sink/all" {
			t.Errorf("package %s imports %d of ours, more than ten", dir, len(seen))
		}
	}
	for dir := range graph {
		if n := depth(graph, dir); n > 9 {
			t.Errorf("the import chain from %s has %d packages, more than nine", dir, n)
		}
	}
}

func depth(graph map[string][]string, dir string) int {
	longest := 0
	for _, next := range graph[dir] {
		longest = max(longest, depth(graph, next))
	}
	return longest + 1
}

// TestDocumented wants one package comment in each package, and a comment on every exported name.
func TestDocumented(t *testing.T) {
	all, set := packages(t)
	for dir, s := range all {
		comments := 0
		for _, f := range s.files {
			if f.Doc != nil {
				comments++
			}
			for _, d := range f.Decls {
				undocumented(d, func(name string, pos token.Pos) {
					t.Errorf("%s: %s has no comment", set.Position(pos), name)
				})
			}
		}
		if comments != 1 {
			t.Errorf("package %s has %d package comments, want one", dir, comments)
		}
	}
}

// undocumented reports the exported names of a declaration that have no comment.
func undocumented(d ast.Decl, report func(string, token.Pos)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || exportedReceiver(d.Recv)) {
			report(d.Name.Name, d.Pos())
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
					report(spec.Name.Name, spec.Pos())
				}
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					if n.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						report(n.Name, n.Pos())
					}
				}
			}
		}
	}
}

func exportedReceiver(r *ast.FieldList) bool {
	t := r.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if g, ok := t.(*ast.IndexExpr); ok {
		t = g.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}

// TestNoInit wants no init function and no package variable that is assigned to after start.
func TestNoInit(t *testing.T) {
	all, set := packages(t)
	for _, s := range all {
		for _, f := range s.files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: an init function", set.Position(fn.Pos()))
				}
			}
		}
		variables := map[string]bool{}
		for _, f := range s.files {
			for _, d := range f.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, spec := range g.Specs {
					for _, n := range spec.(*ast.ValueSpec).Names {
						variables[n.Name] = true
					}
				}
			}
		}
		for _, f := range s.files {
			ast.Inspect(f, func(n ast.Node) bool {
				a, ok := n.(*ast.AssignStmt)
				if !ok || a.Tok == token.DEFINE {
					return true
				}
				for _, l := range a.Lhs {
					if id, ok := l.(*ast.Ident); ok && variables[id.Name] && id.Obj != nil && id.Obj.Kind == ast.Var {
						if _, global := id.Obj.Decl.(*ast.ValueSpec); global && f.Scope.Lookup(id.Name) == id.Obj {
							t.Errorf("%s: package variable %s is written", set.Position(l.Pos()), id.Name)
						}
					}
				}
				return true
			})
		}
	}
}
