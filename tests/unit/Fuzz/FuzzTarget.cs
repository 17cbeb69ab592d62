using System.Text;

namespace Couic.Tests.Fuzz;

/// <summary>A parser, with what must hold for every input.</summary>
internal abstract class FuzzTarget
{
    /// <summary>Also the folder of its corpus, below <c>tests/corpus</c>.</summary>
    public abstract string Name { get; }

    /// <summary>What its inputs are made of; mutations put them in.</summary>
    public abstract byte[][] Pieces { get; }

    /// <summary>Inputs besides the corpus.</summary>
    public virtual IEnumerable<byte[]> Seeds => [];

    /// <summary>Mutations of a run that is not limited by time.</summary>
    public virtual int Rounds => 15_000;

    /// <summary>Longer inputs are cut.</summary>
    public virtual int MaxBytes => 2_000;

    /// <summary>
    /// Feeds the parser. Returns what became of the input, in a word that is the same for inputs that go the same way: an input with
    /// a word that was not seen before is kept and mutated further.
    /// </summary>
    /// <exception cref="FuzzFault">What should hold does not; any other exception is a find too.</exception>
    public abstract string Check(byte[] input);

    /// <summary>Fails when what <paramref name="action"/> allocates is out of proportion to its input.</summary>
    protected static void Bounded(byte[] input, long bytes, long bytesPerByte, Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        action();
        long used = GC.GetAllocatedBytesForCurrentThread() - before;
        Require(used <= bytes + (bytesPerByte * input.Length), $"{used} bytes were allocated for an input of {input.Length}");
    }

    protected static void Require(bool holds, string message)
    {
        if (!holds)
        {
            throw new FuzzFault(message);
        }
    }

    protected static byte[][] Words(params string[] words) => [.. words.Select(Encoding.Latin1.GetBytes)];

    protected static byte[][] Utf8Words(params string[] words) => [.. words.Select(Encoding.UTF8.GetBytes)];
}

/// <summary>A property of a parser does not hold.</summary>
internal sealed class FuzzFault(string message) : Exception(message);
