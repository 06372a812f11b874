package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/cel-go/cel"
	lua "github.com/yuin/gopher-lua"
)

// A health script for Argo CD, expressions for Flux, and the objects to judge.
type healthQuestion struct {
	Lua         string           `json:"lua"`
	Expressions fluxExpressions  `json:"expressions"`
	Objects     []map[string]any `json:"objects"`
}

type fluxExpressions struct {
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

type healthVerdict struct {
	ArgoCD string `json:"argocd"`
	Flux   string `json:"flux"`
}

// Judges as Argo CD does, which runs the script with the object as `obj`, and as Flux does: https://fluxcd.io/flux/components/kustomize/kustomizations/#health-check-expressions
func judgeHealth(from io.Reader) ([]healthVerdict, error) {
	var asked healthQuestion
	if err := json.NewDecoder(from).Decode(&asked); err != nil {
		return nil, err
	}
	answer := []healthVerdict{}
	for _, object := range asked.Objects {
		argocd, err := runLua(asked.Lua, object)
		if err != nil {
			return nil, err
		}
		flux, err := asked.Expressions.judge(object)
		if err != nil {
			return nil, err
		}
		answer = append(answer, healthVerdict{argocd, flux})
	}
	return answer, nil
}

func runLua(script string, object map[string]any) (string, error) {
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", luaValue(state, object))
	if err := state.DoString(script); err != nil {
		return "", err
	}
	health, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", fmt.Errorf("the script returns no table")
	}
	return health.RawGetString("status").String(), nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, one := range value {
			table.RawSetString(key, luaValue(state, one))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, one := range value {
			table.Append(luaValue(state, one))
		}
		return table
	case string:
		return lua.LString(value)
	case float64:
		return lua.LNumber(value)
	case bool:
		return lua.LBool(value)
	}
	return lua.LNil
}

// The first that is true counts; none is in progress.
func (expressions fluxExpressions) judge(object map[string]any) (string, error) {
	options := []cel.EnvOption{}
	for name := range object {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return "", err
	}
	for _, one := range []struct{ verdict, text string }{{"InProgress", expressions.InProgress}, {"Failed", expressions.Failed}, {"Current", expressions.Current}} {
		parsed, issues := env.Compile(one.text)
		if issues.Err() != nil {
			return "", issues.Err()
		}
		program, err := env.Program(parsed)
		if err != nil {
			return "", err
		}
		result, _, err := program.Eval(object)
		if err != nil {
			return "", err
		}
		if result.Value() == true {
			return one.verdict, nil
		}
	}
	return "InProgress", nil
}
