package main

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// withBuiltIns adds the schemas of the built-in types, which the libraries don't bring: they are read from the Go types (names and types of fields,
// patch keys, descriptions). Server-side apply, `kubectl explain` and kubectl's own validation live on them.
func withBuiltIns(generated common.GetOpenAPIDefinitions) common.GetOpenAPIDefinitions {
	return func(reference common.ReferenceCallback) map[string]common.OpenAPIDefinition {
		definitions := generated(reference)
		reader := schemaReader{definitions, reference}
		for _, one := range builtIns {
			for _, kind := range []string{builtInKind(one), builtInKind(one) + "List"} {
				model, err := builtInScheme.New(one.version.WithKind(kind))
				if err != nil {
					panic(err)
				}
				reader.add(model)
			}
		}
		return definitions
	}
}

func builtInKind(one builtIn) string {
	kinds, _, err := builtInScheme.ObjectKinds(one.empty())
	if err != nil {
		panic(err)
	}
	return kinds[0].Kind
}

type schemaReader struct {
	definitions map[string]common.OpenAPIDefinition
	reference   common.ReferenceCallback
}

func (r schemaReader) add(model runtime.Object) {
	name := util.GetCanonicalTypeName(model)
	if _, known := r.definitions[name]; known {
		return
	}
	referred := map[string]bool{}
	schema := r.object(reflect.TypeOf(model).Elem(), referred)
	dependencies := make([]string, 0, len(referred))
	for dependency := range referred {
		dependencies = append(dependencies, dependency)
	}
	r.definitions[name] = common.OpenAPIDefinition{Schema: schema, Dependencies: dependencies}
}

func (r schemaReader) object(of reflect.Type, referred map[string]bool) spec.Schema {
	schema := spec.Schema{SchemaProps: spec.SchemaProps{Type: []string{"object"}, Properties: map[string]spec.Schema{}}}
	descriptions := map[string]string{}
	if documented, ok := reflect.Zero(of).Interface().(interface{ SwaggerDoc() map[string]string }); ok {
		descriptions = documented.SwaggerDoc()
	}
	schema.Description = descriptions[""]
	for i := range of.NumField() {
		field := of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if strings.Contains(options, "inline") {
			for inner, property := range r.object(field.Type, referred).Properties {
				schema.Properties[inner] = property
			}
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		property := r.value(field.Type, referred)
		property.Description = descriptions[name]
		if key := field.Tag.Get("patchMergeKey"); key != "" {
			property.AddExtension("x-kubernetes-list-type", "map")
			property.AddExtension("x-kubernetes-list-map-keys", []any{key})
		} else if field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() != reflect.Uint8 {
			property.AddExtension("x-kubernetes-list-type", "atomic")
		}
		schema.Properties[name] = property
	}
	return schema
}

func (r schemaReader) value(of reflect.Type, referred map[string]bool) spec.Schema {
	if of.Kind() == reflect.Pointer {
		return r.value(of.Elem(), referred)
	}
	// What apimachinery brings has its schema already: metadata, times.
	if name := util.GetCanonicalTypeName(reflect.New(of).Interface()); of.Name() != "" {
		if _, known := r.definitions[name]; known {
			referred[name] = true
			return spec.Schema{SchemaProps: spec.SchemaProps{Ref: r.reference(name)}}
		}
	}
	switch of.Kind() {
	case reflect.Bool:
		return *spec.BooleanProperty()
	case reflect.Int32:
		return *spec.Int32Property()
	case reflect.Int, reflect.Int64:
		return *spec.Int64Property()
	case reflect.Map:
		element := r.value(of.Elem(), referred)
		return *spec.MapProperty(&element)
	case reflect.Slice:
		if of.Elem().Kind() == reflect.Uint8 {
			return *spec.StrFmtProperty("byte")
		}
		element := r.value(of.Elem(), referred)
		return *spec.ArrayProperty(&element)
	case reflect.Struct:
		return r.object(of, referred)
	}
	return *spec.StringProperty()
}
