using Couic.Tests.Support;

namespace Couic.Tests.Fuzz;

/// <summary><c>tests/corpus/TARGET/*</c>: an input each. Files that end in <c>.hex</c> hold hexadecimal digits, blanks and <c>#</c> comments.</summary>
internal static class Corpus
{
    public static string Repository => CompiledC.Repository;

    public static byte[][] Of(string target) =>
        [.. Directory.GetFiles(Path.Combine(Repository, "tests", "corpus", target)).Order(StringComparer.Ordinal).Select(Read)];

    private static byte[] Read(string path) => path.EndsWith(".hex", StringComparison.Ordinal)
        ? Convert.FromHexString(string.Concat(File.ReadLines(path).SelectMany(line => line.Split('#')[0].Where(c => !char.IsWhiteSpace(c)))))
        : File.ReadAllBytes(path);
}
