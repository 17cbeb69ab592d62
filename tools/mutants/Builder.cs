using System.Diagnostics;
using System.Text.Json;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;

namespace Couic.Mutants;

/// <summary>The product, compiled in this process with one file changed: some seconds instead of a build.</summary>
internal sealed class Builder
{
    private const string ObjectName = "couic.bpf.o";

    private const string Switch = """
        namespace Couic;
        internal static class MutantSwitch
        {
            private static readonly int Active = int.Parse(System.Environment.GetEnvironmentVariable("COUIC_MUTANT") ?? "0", null);
            public static bool Is(int number) => Active == number;
        }
        """;

    private readonly string _root;
    private readonly CSharpCommandLineArguments _arguments;
    private readonly Dictionary<string, SyntaxTree> _trees = [];
    private readonly Compilation _original;

    public Builder(string root)
    {
        _root = root;
        using JsonDocument answer = JsonDocument.Parse(Run(
            "dotnet", "msbuild", "couic.csproj", "-v:q", "-nologo", "-t:PrepareResources;Compile", "-p:Configuration=Release", "-p:ProvideCommandLineArgs=true",
            "-p:SkipCompilerExecution=true", "-p:NonExistentFile=never", "-getItem:CscCommandLineArgs"));
        string[] arguments = [.. answer.RootElement.GetProperty("Items").GetProperty("CscCommandLineArgs").EnumerateArray().Select(a => a.GetProperty("Identity").GetString()!)];
        _arguments = CSharpCommandLineParser.Default.Parse(arguments, root, sdkDirectory: null);
        foreach (CommandLineSourceFile source in _arguments.SourceFiles)
        {
            using FileStream stream = File.OpenRead(source.Path);
            _trees[Path.GetRelativePath(root, source.Path)] = CSharpSyntaxTree.ParseText(SourceText.From(stream), _arguments.ParseOptions, source.Path);
        }

        var loader = new AnalyzerLoader();
        ISourceGenerator[] generators = [.. _arguments.AnalyzerReferences
            .SelectMany(r => new AnalyzerFileReference(Path.GetFullPath(r.FilePath, root), loader).GetGenerators(LanguageNames.CSharp))];
        CSharpCompilation plain = CSharpCompilation.Create(
            _arguments.CompilationName, _trees.Values, _arguments.MetadataReferences.Select(r => MetadataReference.CreateFromFile(Path.GetFullPath(r.Reference, root))),
            _arguments.CompilationOptions.WithGeneralDiagnosticOption(ReportDiagnostic.Default));
        CSharpGeneratorDriver.Create(generators, parseOptions: _arguments.ParseOptions).RunGeneratorsAndUpdateCompilation(plain, out _original, out _);
    }

    public IReadOnlyDictionary<string, SyntaxTree> Trees => _trees;

    /// <summary>
    /// Compiles many changes of C# files into one assembly, each selected by its place in the list, counted from 1. Those that do not compile so, or
    /// overlap another one, become null in the list.
    /// </summary>
    public byte[] Build(Mutation?[] mutations)
    {
        while (true)
        {
            Compilation compilation = _original.AddSyntaxTrees(CSharpSyntaxTree.ParseText(Switch, _arguments.ParseOptions));
            List<(SyntaxTree Tree, TextSpan Span, int Number)> places = [];
            foreach (IGrouping<string, (Mutation Mutation, int Number)> file in mutations.Select((m, i) => (Mutation: m!, Number: i + 1)).Where(m => m.Mutation is not null).GroupBy(m => m.Mutation.File))
            {
                SyntaxTree tree = _trees[file.Key];
                List<TextChange> changes = [];
                List<(TextSpan Span, int Number)> spans = [];
                int end = 0, moved = 0;
                foreach ((Mutation mutation, int number) in file.OrderBy(m => m.Mutation.Span.Start).ThenBy(m => m.Number))
                {
                    if (mutation.Span.Start < end)
                    {
                        mutations[number - 1] = null;
                        continue;
                    }

                    string text = mutation.Switched(number);
                    changes.Add(new(mutation.Span, text));
                    spans.Add((new(mutation.Span.Start + moved, text.Length), number));
                    moved += text.Length - mutation.Span.Length;
                    end = mutation.Span.End;
                }

                SyntaxTree changed = tree.WithChangedText(tree.GetText().WithChanges(changes));
                compilation = compilation.ReplaceSyntaxTree(tree, changed);
                places.AddRange(spans.Select(s => (changed, s.Span, s.Number)));
            }

            using MemoryStream output = new();
            Microsoft.CodeAnalysis.Emit.EmitResult result = compilation.Emit(output, manifestResources: _arguments.ManifestResources);
            if (result.Success)
            {
                return output.ToArray();
            }

            // An error inside a change is that change's; any other one comes from one of the changes of the same member.
            HashSet<int> faulty = [];
            foreach (Location error in result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => d.Location))
            {
                int[] inside = [.. places.Where(p => p.Tree == error.SourceTree && p.Span.IntersectsWith(error.SourceSpan)).Select(p => p.Number)];
                TextSpan member = error.SourceTree!.GetRoot().FindNode(error.SourceSpan).AncestorsAndSelf().OfType<MemberDeclarationSyntax>().FirstOrDefault()?.FullSpan ?? default;
                faulty.UnionWith(inside.Length > 0 ? inside : places.Where(p => p.Tree == error.SourceTree && member.Contains(p.Span)).Select(p => p.Number));
            }

            if (faulty.Count == 0)
            {
                throw new InvalidOperationException($"compile: {result.Diagnostics.First(d => d.Severity == DiagnosticSeverity.Error)}");
            }

            foreach (int number in faulty)
            {
                mutations[number - 1] = null;
            }
        }
    }

    /// <summary>Compiles a change of the C program into the unchanged product.</summary>
    /// <returns>Null when the change does not compile.</returns>
    public byte[]? BuildProgram(Mutation mutation)
    {
        if (CompileProgram(mutation) is not byte[] program)
        {
            return null;
        }

        using MemoryStream output = new();
        IEnumerable<ResourceDescription> resources = _arguments.ManifestResources.Where(r => Named(r) != ObjectName).Append(new(ObjectName, () => new MemoryStream(program), isPublic: true));
        return _original.Emit(output, manifestResources: resources).Success ? output.ToArray() : null;
    }

    // The name of a resource is not public.
    private static string Named(ResourceDescription resource) =>
        (string)typeof(ResourceDescription).GetField("ResourceName", System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Instance)!.GetValue(resource)!;

    private byte[]? CompileProgram(Mutation mutation)
    {
        string folder = Path.Combine(_root, "out/mutants/program");
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(Path.Combine(_root, "Bpf")).Where(f => f.EndsWith(".c", StringComparison.Ordinal) || f.EndsWith(".h", StringComparison.Ordinal)))
        {
            string text = File.ReadAllText(file);
            if (Path.GetRelativePath(_root, file) == mutation.File)
            {
                text = text[..mutation.Span.Start] + mutation.After + text[mutation.Span.End..];
            }

            File.WriteAllText(Path.Combine(folder, Path.GetFileName(file)), text);
        }

        string result = Path.Combine(folder, ObjectName);
        File.Delete(result);
        Run("clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-w", "-I/usr/include/x86_64-linux-gnu", "-c", Path.Combine(folder, "couic.bpf.c"), "-o", result);
        if (!File.Exists(result))
        {
            return null;
        }

        Run("llvm-strip", "-g", result);
        return File.ReadAllBytes(result);
    }

    private string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = _root, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }

    private sealed class AnalyzerLoader : IAnalyzerAssemblyLoader
    {
        public void AddDependencyLocation(string fullPath)
        {
        }

        public System.Reflection.Assembly LoadFromPath(string fullPath) => System.Reflection.Assembly.LoadFrom(fullPath);
    }
}
