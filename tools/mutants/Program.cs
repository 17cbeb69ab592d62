using System.Security.Cryptography;
using System.Text;
using Couic.Mutants;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

// Mutation testing: changes the product in a few hundred ways, runs the unit tests that should notice, and prints the changes that none noticed.
// Exit status 1 when a survivor is not explained in accepted.txt.
//   MUTANTS=N          how many (300), the same ones each time until the code changes
//   MUTANTS_ONLY=TEXT  only files whose path contains the text, or one of several separated by commas
//   MUTANTS_SEED=TEXT  another sample
string root = Environment.CurrentDirectory;
int wanted = int.Parse(Environment.GetEnvironmentVariable("MUTANTS") ?? "300", System.Globalization.CultureInfo.InvariantCulture);
string[] only = (Environment.GetEnvironmentVariable("MUTANTS_ONLY") ?? "").Split(',');
string seed = Environment.GetEnvironmentVariable("MUTANTS_SEED") ?? "";

// The parts that decide, and their share of the sample.
(string Name, int Share, Func<string, bool> Has)[] parts =
[
    ("guard", 10, f => Path.GetFileName(f) is "LockoutGuard.cs" or "ProtectedSources.cs"),
    ("access", 10, f => f.Contains("Access/", StringComparison.Ordinal)),
    ("request parser", 15, f => f.StartsWith("Http/Parsing/", StringComparison.Ordinal)),
    ("Bpf", 15, f => f.StartsWith("Bpf/", StringComparison.Ordinal) && f.EndsWith(".cs", StringComparison.Ordinal)),
    ("peering", 15, f => f.StartsWith("Peering/", StringComparison.Ordinal) && !f.EndsWith("HttpPeerTransport.cs", StringComparison.Ordinal) && !f.EndsWith("PeeringLog.cs", StringComparison.Ordinal)),
    ("C program", 20, f => f.StartsWith("Bpf/", StringComparison.Ordinal) && !f.EndsWith(".cs", StringComparison.Ordinal)),
    ("Store", 15, f => f.StartsWith("Store/", StringComparison.Ordinal)),
];

Dictionary<string, string> accepted = File.ReadLines(Path.Combine(root, "tools/mutants/accepted.txt"))
    .Where(l => l.Contains(" # ", StringComparison.Ordinal) && !l.StartsWith('#')).ToDictionary(l => l.Split(" # ", 2)[0].Trim(), l => l.Split(" # ", 2)[1].Trim());
Builder builder = new(root);
TestSuite suite = new(root);
File.WriteAllBytes(suite.Product, builder.Build([]));
if (!suite.Measure())
{
    Console.Error.WriteLine("mutants: the tests fail on the unchanged product");
    return 2;
}

IEnumerable<Mutation> all = builder.Trees.SelectMany(t => Mutation.OfCSharp(t.Key, t.Value))
    .Concat(Directory.EnumerateFiles(Path.Combine(root, "Bpf")).Where(f => Path.GetExtension(f) is ".c" or ".h")
        .SelectMany(f => Mutation.OfC(Path.GetRelativePath(root, f), File.ReadAllText(f))));
ILookup<string, Mutation> byPart = all.Where(m => only.Any(o => m.File.Contains(o, StringComparison.Ordinal)))
    .ToLookup(m => parts.FirstOrDefault(p => p.Has(m.File)).Name ?? "");
int tried = 0, killed = 0, timedOut = 0, explained = 0, unexplained = 0;
foreach ((string part, int share, _) in parts.Where(p => byPart.Contains(p.Name)))
{
    int quota = wanted * share / parts.Where(p => byPart.Contains(p.Name)).Sum(p => p.Share);
    int triedBefore = tried, killedBefore = killed;

    // Some of the sample do not compile, so it is a little larger than the quota.
    Mutation?[] sample = [.. byPart[part].DistinctBy(m => m.Id).OrderBy(m => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(seed + m.Id))), StringComparer.Ordinal).Take((quota * 4 / 3) + 1)];
    bool isProgram = sample.Any(m => !builder.Trees.ContainsKey(m!.File));
    if (!isProgram)
    {
        File.WriteAllBytes(suite.Product, builder.Build(sample));
    }

    for (int i = 0; i < sample.Length && tried - triedBefore < quota; i++)
    {
        if (sample[i] is not Mutation mutation)
        {
            continue;
        }

        if (isProgram)
        {
            if (builder.BuildProgram(mutation) is not byte[] changed)
            {
                continue;
            }

            File.WriteAllBytes(suite.Product, changed);
        }

        tried++;
        Verdict verdict = Try(mutation, i + 1);
        Console.Error.WriteLine($"{TimeProvider.System.GetLocalNow():T} {verdict} {mutation}");
        killed += verdict == Verdict.Survived ? 0 : 1;
        timedOut += verdict == Verdict.TimedOut ? 1 : 0;
        bool isExplained = accepted.ContainsKey(mutation.Id);
        if (verdict == Verdict.Survived)
        {
            _ = isExplained ? explained++ : unexplained++;
        }

        if (verdict != Verdict.Killed)
        {
            Console.WriteLine($"{(verdict == Verdict.TimedOut ? "timed out" : isExplained ? "explained" : "SURVIVED")} {mutation}");
        }
    }

    Console.WriteLine($"{part}: {tried - triedBefore} tried, {killed - killedBefore} killed");
}

Console.WriteLine($"{tried} tried, {killed} killed ({timedOut} by time-out), {explained} explained, {unexplained} unexplained");
return unexplained == 0 ? 0 : 1;

// The tests that are near first, then all that may notice.
Verdict Try(Mutation mutation, int number)
{
    string[] types = builder.Trees.TryGetValue(mutation.File, out SyntaxTree? tree)
        ? [.. tree.GetRoot().DescendantNodes().OfType<BaseTypeDeclarationSyntax>().Select(t => t.Identifier.Text)] : ["VerdictTests", "PropertyTests"];
    string[] near = suite.For(mutation.File, types, budget: 8, distance: 1);
    Verdict verdict = near.Length == 0 ? Verdict.Survived : suite.Run(near, number);
    string[] others = [.. suite.For(mutation.File, types, budget: 60, distance: 3).Except(near)];
    return verdict != Verdict.Survived || others.Length == 0 ? verdict : suite.Run(others, number);
}
