namespace Couic.Config;

/// <summary>Finds the known word that was probably meant.</summary>
public static class Suggestion
{
    /// <summary>The nearest of the known words, if it is near enough to help; of equals the first. Null otherwise. The farthest must share the first letter.</summary>
    public static string? For(string word, IEnumerable<string> known)
    {
        if (word.Length is 0 or > 64)
        {
            return null; // the cost is the product of the lengths
        }

        string? best = null;
        int limit = Math.Max(1, (word.Length / 3) + 1);
        foreach (string candidate in known)
        {
            int distance = Distance(word.ToLowerInvariant(), candidate);
            if (distance < limit || (distance == limit && best is null && candidate[0] == char.ToLowerInvariant(word[0])))
            {
                (best, limit) = (candidate, distance);
            }
        }

        return best;
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            cost[i, 0] = i;
        }

        for (int j = 0; j <= b.Length; j++)
        {
            cost[0, j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int replace = cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replace, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[a.Length, b.Length];
    }
}
