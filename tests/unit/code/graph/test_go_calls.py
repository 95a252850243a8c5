"""Go: direct calls, methods, embedding, interfaces, generics, closures, packages by import path."""

from __future__ import annotations

from remit.code.graph.index import index_texts

SHAPE = b"""package shape

import "fmt"

type Shape interface {
	Area() float64
	Named
}
type Named interface{ Name() string }
type base struct{ n string }

func (b *base) Name() string { return b.n }

type Square struct {
	*base
	side float64
}

func New(s float64) *Square            { return &Square{&base{"sq"}, s} }
func (s Square) Area() float64         { return mul(s.side, s.side) }

type Circle struct{ base }

func (c *Circle) Area() float64 { return 3 }

type Line struct{}

func (l Line) Area() int { return 0 }
func mul(a, b float64) float64 { fmt.Println(a); return a * b }
func Map[T any](xs []T, f func(T) T) []T { return xs }
"""
MAIN = b"""package main

import (
	sh "example.com/mod/shape"
	"os"
)

type app struct {
	shapes []sh.Shape
	m      map[string]*sh.Circle
}

func (a *app) run() error {
	for _, s := range a.shapes {
		s.Area()
		_ = s.Name()
	}
	a.m["x"].Area()
	if c, ok := a.m["y"]; ok {
		c.Name()
	}
	switch v := interface{}(a.shapes[0]).(type) {
	case *sh.Square:
		v.Area()
	}
	go func() { a.stop() }()
	return nil
}
func (a *app) stop() {}
func main() {
	a := &app{shapes: []sh.Shape{sh.New(2)}}
	if err := a.run(); err != nil {
		os.Exit(len(os.Args))
	}
	f := helper
	f()
	sh.Map[int]([]int{1}, func(i int) int { return helper() })
}
func helper() int { return int(3) }
"""


def test_go_calls_are_the_true_ones() -> None:
    """Direct calls and interface calls of two packages: exactly the implementations that fit, with their sureness."""
    graph = index_texts({"shape/shape.go": SHAPE, "main.go": MAIN})
    assert graph.unread == ()
    assert {(e.caller, e.callee, e.line, e.confidence) for e in graph.calls()} == {
        ("main.app.run", "shape.Square.Area", 15, 0.5),
        ("main.app.run", "shape.Circle.Area", 15, 0.5),
        ("main.app.run", "shape.base.Name", 16, 1.0),
        ("main.app.run", "shape.Circle.Area", 18, 1.0),
        ("main.app.run", "shape.base.Name", 20, 1.0),
        ("main.app.run", "shape.Square.Area", 24, 1.0),
        ("main.app.run", "main.app.stop", 26, 1.0),
        ("main.main", "shape.New", 31, 1.0),
        ("main.main", "main.app.run", 32, 1.0),
        ("main.main", "os.Exit", 33, 1.0),
        ("main.main", "<builtin>.len", 33, 1.0),
        ("main.main", "main.helper", 36, 1.0),
        ("main.main", "main.helper", 37, 1.0),
        ("main.main", "shape.Map", 37, 1.0),
        ("shape.Square.Area", "shape.mul", 20, 1.0),
        ("shape.mul", "fmt.Println", 29, 1.0),
    }


def test_go_symbols_have_kinds_and_visibility() -> None:
    """Upper case is public; structs, interfaces, methods and functions have their kinds."""
    graph = index_texts({"shape/shape.go": SHAPE})
    kinds = {s.name: (s.kind, s.visibility) for s in graph.symbols}
    assert kinds["shape.Shape"] == ("interface", "public")
    assert kinds["shape.base"] == ("struct", "private")
    assert kinds["shape.base.Name"] == ("method", "public")
    assert kinds["shape.mul"] == ("function", "private")


def test_hostile_go_is_bounded() -> None:
    """Syntax errors and deep nesting are said; types that embed each other and long sums end."""
    deep = b"package a\nfunc f() { x := " + b"(" * 500 + b"1" + b")" * 500 + b" }\n"
    loops = b"package b\ntype A struct{ B }\ntype B struct{ A }\ntype I interface{ I }\nvar x = y\nvar y = x\n"
    loops += b"func g(a A, i I) { a.no(); i.no(); x.no(); _ = " + b" + ".join([b"h()"] * 3000) + b" }\n"
    loops += b"func h() int { return 1 }\n"
    graph = index_texts({"a/a.go": deep, "b/b.go": loops, "c/c.go": b"package c\nfunc {"})
    assert {one.file: one.reason for one in graph.unread} == {
        "a/a.go": "nested too deep",
        "c/c.go": "syntax error at line 2",
    }
    assert {(e.caller, e.callee) for e in graph.calls()} == {("b.g", "b.h")}
