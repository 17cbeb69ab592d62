using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace Couic.Tests.Fuzz;

/// <summary>
/// Mutates the corpus of a target. It is guided by what becomes of the inputs: one that ends as none did before joins the pool.
/// </summary>
internal sealed class Fuzzer(FuzzTarget target, int seed)
{
    /// <summary>Inputs that are mutated; targets whose outcomes have no end must not fill the memory.</summary>
    private const int MaxPool = 5_000;

    private readonly Random _random = new(seed);
    private readonly HashSet<string> _outcomes = [];
    private readonly List<byte[]> _pool = [];

    public long Inputs { get; private set; }

    public int Outcomes => _outcomes.Count;

    /// <summary>Until the time is over, or without one for as many rounds as the target says.</summary>
    /// <exception cref="FuzzFault">A find, made short, with the place where it was left.</exception>
    public void Run(IEnumerable<byte[]> corpus, TimeSpan? time)
    {
        foreach (byte[] input in corpus)
        {
            Try(input);
        }

        // What is in the corpus has been found important once, also where it ends like others.
        _pool.AddRange(corpus.Except(_pool));
        if (_pool.Count == 0)
        {
            throw new InvalidOperationException($"no corpus for {target.Name}");
        }

        var mutator = new Mutator(_random, target.Pieces, target.MaxBytes);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; time is { } limit ? Stopwatch.GetElapsedTime(start) < limit : round < target.Rounds; round++)
        {
            Try(mutator.Mutate(_pool[_random.Next(_pool.Count)], _pool[_random.Next(_pool.Count)]));
        }
    }

    private void Try(byte[] input)
    {
        Inputs++;
        if (Fault(input, out string outcome) is { } fault)
        {
            throw Find(input, fault);
        }

        if (_outcomes.Add(outcome) && _pool.Count < MaxPool)
        {
            _pool.Add(input);
        }
    }

    private Exception? Fault(byte[] input, out string outcome)
    {
        try
        {
            outcome = target.Check((byte[])input.Clone());
            return null;
        }
        catch (Exception e)
        {
            outcome = string.Empty;
            return e;
        }
    }

    private FuzzFault Find(byte[] input, Exception fault)
    {
        byte[] shortest = Shorten(input);
        string folder = Directory.CreateDirectory(Path.Combine(Corpus.Repository, "TestResults", "fuzz")).FullName;
        string file = Path.Combine(folder, $"{target.Name}-{Convert.ToHexStringLower(SHA256.HashData(shortest)[..4])}");
        File.WriteAllBytes(file, shortest);
        Exception now = Fault(shortest, out _) ?? fault;
        return new FuzzFault($"""
            {target.Name}: {now.Message}
            seed {seed}, input {Inputs}: {Printable(shortest)}
            in {file} (copy it to tests/corpus/{target.Name} once it is mended)
            {now}
            """);
    }

    /// <summary>Takes pieces away as long as there is still a fault.</summary>
    private byte[] Shorten(byte[] input)
    {
        for (int size = Math.Max(1, input.Length / 2); size > 0; size /= 2)
        {
            for (int at = 0; at + size <= input.Length;)
            {
                byte[] shorter = [.. input[..at], .. input[(at + size)..]];
                if (Fault(shorter, out _) is null)
                {
                    at += size;
                }
                else
                {
                    input = shorter;
                }
            }
        }

        return input;
    }

    private static string Printable(byte[] input)
    {
        var text = new StringBuilder();
        foreach (byte b in input.Take(400))
        {
            text.Append(b is >= 0x20 and < 0x7f and not (byte)'\\' ? ((char)b).ToString() : $"\\x{b:x2}");
        }

        return text.ToString();
    }
}
