using System.Diagnostics;
using System.Globalization;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Couic.Mutants;

internal enum Verdict
{
    Survived,
    Killed,
    TimedOut,
}

/// <summary>The unit tests, run against a changed product in a copy of their folder.</summary>
internal sealed class TestSuite
{
    private readonly string _folder;
    private readonly List<(string Path, string Name, HashSet<string> Words)> _classes = [];
    private readonly Dictionary<string, double> _seconds = [];

    public TestSuite(string root)
    {
        string built = Directory.EnumerateDirectories(Path.Combine(root, "tests/unit/bin/Release")).Single();
        _folder = Path.Combine(root, "out/mutants/tests");
        Directory.CreateDirectory(_folder);
        foreach (string file in Directory.EnumerateFiles(built))
        {
            File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)), overwrite: true);
        }

        foreach (string file in Directory.EnumerateFiles(Path.Combine(root, "tests/unit"), "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            SyntaxNode tree = CSharpSyntaxTree.ParseText(File.ReadAllText(file)).GetRoot();
            foreach (ClassDeclarationSyntax type in tree.DescendantNodes().OfType<ClassDeclarationSyntax>()
                .Where(c => c.Members.OfType<MethodDeclarationSyntax>().Any(m => m.AttributeLists.SelectMany(l => l.Attributes).Any(a => a.Name.ToString() is "Fact" or "Theory"))))
            {
                string space = tree.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>().First().Name.ToString();
                _classes.Add((Path.GetRelativePath(Path.Combine(root, "tests/unit"), file), $"{space}.{type.Identifier.Text}", [.. tree.DescendantTokens().Select(t => t.ValueText)]));
            }
        }
    }

    public string Product => Path.Combine(_folder, "couic.dll");

    /// <summary>Classes that name a type of the file or are in the folder that mirrors the file's or the nearest above it; near ones first, while the budget lasts.</summary>
    /// <param name="budget">In seconds of the measured run.</param>
    /// <param name="distance">1: the type's own tests and those of its folder that name it. 3: all.</param>
    public string[] For(string file, IReadOnlyCollection<string> types, double budget, int distance)
    {
        string folder = Path.GetDirectoryName(file)! + "/";
        while (folder != "/" && !_classes.Exists(c => c.Path.StartsWith(folder, StringComparison.Ordinal)))
        {
            folder = Path.GetDirectoryName(folder[..^1]) + "/";
        }

        double spent = 0;
        return [.. _classes.Select(c => (c.Name, Distance: Distance(c.Path.StartsWith(folder, StringComparison.Ordinal), types.Any(c.Words.Contains), types.Any(t => c.Name.EndsWith($".{t}Tests", StringComparison.Ordinal)))))
            .Where(c => c.Distance <= distance).OrderBy(c => c.Distance).ThenBy(c => Seconds(c.Name)).Select(c => c.Name).Distinct()
            .TakeWhile(name => (spent += Seconds(name)) < budget || spent == Seconds(name))];
    }

    /// <summary>How long each class takes on the unchanged product, which must pass. Kept in out/mutants/times.trx for the next run.</summary>
    public bool Measure()
    {
        string results = Path.Combine(_folder, "../times.trx"), unfinished = results + ".new";
        if (!File.Exists(results))
        {
            if (Run([], 0, TimeSpan.FromMinutes(15), unfinished) != Verdict.Survived)
            {
                return false;
            }

            File.Move(unfinished, results); // only a complete one is taken by the next run
        }

        foreach (XElement result in XDocument.Load(results).Descendants().Where(e => e.Name.LocalName == "UnitTestResult"))
        {
            string test = result.Attribute("testName")!.Value.Split('(')[0];
            string name = test[..test.LastIndexOf('.')];
            _seconds[name] = Seconds(name) + TimeSpan.Parse(result.Attribute("duration")!.Value, CultureInfo.InvariantCulture).TotalSeconds;
        }

        return true;
    }

    public Verdict Run(string[] classes, int mutant) => Run(classes, mutant, TimeSpan.FromSeconds(60 + (4 * classes.Sum(Seconds))), null);

    private static int Distance(bool isInFolder, bool namesType, bool isNamedAfterType) => (isNamedAfterType, isInFolder, namesType) switch
    {
        (true, _, _) => 0,
        (_, true, true) => 1,
        (_, true, false) => 2,
        (_, false, true) => 3,
        _ => int.MaxValue,
    };

    private double Seconds(string name) => _seconds.GetValueOrDefault(name);

    private Verdict Run(string[] classes, int mutant, TimeSpan limit, string? results)
    {
        List<string> arguments = ["exec", Path.Combine(_folder, "Couic.Tests.dll"), "-noLogo", "-noColor", "-reporter", "quiet", "-stopOnFail"];
        arguments.AddRange(classes.SelectMany(c => new[] { "-class", c }));
        arguments.AddRange(results is null ? [] : ["-result-trx", results]);
        ProcessStartInfo start = new("dotnet", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["COUIC_MUTANT"] = mutant.ToString(CultureInfo.InvariantCulture);
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x80000000";
        using Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return Verdict.TimedOut;
        }

        return process.ExitCode == 0 ? Verdict.Survived : Verdict.Killed;
    }
}
